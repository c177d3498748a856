import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { type Route, route } from '../../../api/route.ts';
import { present } from '../../../domain/present.ts';
import type { Days } from '../../../domain/tenancy/retention.ts';
import { wholeDigest } from '../../../store/policy/whole-digest.ts';
import { retentionFloors, setRetentionFloors } from '../../../store/retention/floors.ts';
import { setPlatformWhole } from './platform-whole.ts';
import { readDigest, shownDigest } from './whole.ts';

const PATH = '/api/v1/platform/retention';

const floor = (what: string, example: number) =>
  z
    .int()
    .min(1)
    .max(3_650)
    .nullable()
    .meta({
      description: `Days for which every tenant keeps ${what} at least. No floor where null.`,
      example,
    });

const MEMBERS = {
  payloads: floor('payloads', 7),
  events: floor('events, with all that hangs on them,', 30),
  receipts: floor('receipts', 30),
  ledgers: floor('the lines of ledgers', 365),
  reports: floor('closed operations and their reports', 3_650),
};

const FloorsView = z
  .strictObject({
    ...MEMBERS,
    digest: shownDigest('SHA-256 of the floors: sent with others, they are set in the place of these alone.'),
  })
  .meta({
    id: 'RetentionFloors',
    description: 'For how long every tenant keeps things at least, whatever it has set.',
  });

const FloorsBody = z
  .strictObject({
    payloads: MEMBERS.payloads.optional(),
    events: MEMBERS.events.optional(),
    receipts: MEMBERS.receipts.optional(),
    ledgers: MEMBERS.ledgers.optional(),
    reports: MEMBERS.reports.optional(),
    digest: readDigest(
      '`digest` of the floors that were read: these are set in their place, and in that of no others. Without it whatever is there is replaced.',
    ),
  })
  .meta({ id: 'NewRetentionFloors', description: 'All floors: one that is left out is taken away.' });

const FLOORS = {
  members: 'floors',
  action: 'retention_floors.changed',
  read: retentionFloors,
  write: setRetentionFloors,
} as const;

/** The floors of retention, for keys of the installation. */
export function platformRetentionRoutes({ pool }: ApiDeps): Route[] {
  const common = { tag: 'Policy', path: PATH, access: { of: 'installation' } } as const;
  const responses = { 200: { description: 'The floors.', schema: FloorsView } };
  return [
    route({
      ...common,
      method: 'get',
      summary: 'Show for how long every tenant keeps things at least',
      responses,
      handler: async () => ({ status: 200, body: view(await retentionFloors(pool)) }),
    }),
    route({
      ...common,
      method: 'put',
      summary: 'Set for how long every tenant keeps things at least',
      description:
        'They hold at once for every tenant: a shorter term that was set before counts as the floor, and a new one is refused (`term_too_short`). With `digest` they take the place of those that were read, and of no others that somebody has set meanwhile.',
      request: { body: FloorsBody },
      responses,
      problems: ['settings_changed'],
      async handler({ body, caller }) {
        const { payloads, events, receipts, ledgers, reports, digest } = body;
        const floors: Days = present({
          payload: payloads,
          event: events,
          receipt: receipts,
          ledger: ledgers,
          report: reports,
        });
        const refused = await setPlatformWhole(pool, FLOORS, floors, { digest, by: caller });
        return refused ?? { status: 200, body: view(await retentionFloors(pool)) };
      },
    }),
  ];
}

function view(floors: Days): z.input<typeof FloorsView> {
  return {
    payloads: floors.payload ?? null,
    events: floors.event ?? null,
    receipts: floors.receipt ?? null,
    ledgers: floors.ledger ?? null,
    reports: floors.report ?? null,
    digest: wholeDigest(floors),
  };
}
