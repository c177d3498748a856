import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { type Route, route } from '../../../api/route.ts';
import { present } from '../../../domain/present.ts';
import type { Days } from '../../../domain/tenancy/retention.ts';
import { noteAct } from '../../../store/audit/entries.ts';
import { withTransaction } from '../../../store/db/pool.ts';
import { retentionFloors, setRetentionFloors } from '../../../store/retention/floors.ts';
import { PLATFORM_TENANT } from '../../../store/tenancy/tenants.ts';

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

const FloorsView = z.strictObject(MEMBERS).meta({
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
  })
  .meta({ id: 'NewRetentionFloors', description: 'All floors: one that is left out is taken away.' });

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
        'They hold at once for every tenant: a shorter term that was set before counts as the floor, and a new one is refused (`term_too_short`).',
      request: { body: FloorsBody },
      responses,
      async handler({ body, caller }) {
        const { payloads, events, receipts, ledgers, reports } = body;
        const floors: Days = present({
          payload: payloads,
          event: events,
          receipt: receipts,
          ledger: ledgers,
          report: reports,
        });
        await withTransaction(pool, async (tx) => {
          await setRetentionFloors(tx, floors);
          await noteAct(tx, {
            tenantId: PLATFORM_TENANT.id,
            by: caller,
            action: 'retention_floors.changed',
            target: PLATFORM_TENANT.id,
            detail: { ...floors },
          });
        });
        return { status: 200, body: view(await retentionFloors(pool)) };
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
  };
}
