import { z } from 'zod';
import { type Problem, problem } from '../../../api/problems/problem.ts';
import { type Days, daysInForce, KEPT, type Kept, tooShort } from '../../../domain/tenancy/retention.ts';
import { SETTING_OF, type SettingsChange, type TenantSettings } from '../../../store/tenancy/tenants.ts';

const days = (least: number, description: string, example: number) =>
  z
    .int()
    .min(least)
    .max(3_650)
    .nullable()
    .meta({ description: `${description} No limit where null.`, example });

/** For how many days things are kept, by setting. */
export const RETENTION_SETTINGS = {
  payloadRetentionDays: days(1, 'Payloads go when they are older; their events and deliveries stay.', 30),
  eventRetentionDays: days(
    1,
    'Events go when they are older, with their payloads, deliveries, executions and attempts; no shorter than `payloadRetentionDays` and `receiptRetentionDays`. What is open, or held by an operation, a plan or an outage, goes when that has ended. A new tenant has 90.',
    90,
  ),
  receiptRetentionDays: days(
    1,
    'Receipts are shown for so long, and those of refused requests go then. Where null, for as long as the event is kept.',
    60,
  ),
  ledgerRetentionDays: days(
    7,
    'Lines of closed ledgers go when they are older, with the plans of their operations; signed reports, counts and roots stay.',
    730,
  ),
  reportRetentionDays: days(
    7,
    'Operations go so long after they have closed, with their reports, once none of their deliveries is kept; no shorter than `ledgerRetentionDays`, which is to be set, too.',
    3_650,
  ),
};

const inForce = (description: string, example: number) =>
  z
    .int()
    .nullable()
    .meta({ description: `${description} For ever where null.`, example });

/** The terms that hold, floors and what hangs together considered. */
export const RetentionView = z
  .strictObject({
    payloads: inForce('Days for which payloads are kept.', 30),
    events: inForce('Days for which events are kept, with all that hangs on them.', 90),
    receipts: inForce('Days for which receipts are shown.', 90),
    ledgers: inForce('Days for which the lines of a ledger are kept.', 730),
    reports: inForce('Days for which closed operations and their reports are kept.', 3_650),
  })
  .meta({
    id: 'RetentionInForce',
    description:
      'For how long things are kept: by the settings, and no less than the floors of the installation.',
  });

/** Shows the terms that hold. */
export function retentionView(settings: TenantSettings, floors: Days): z.input<typeof RetentionView> {
  const held = daysInForce(daysOf(settings), floors);
  return {
    payloads: held.payload ?? null,
    events: held.event ?? null,
    receipts: held.receipt ?? null,
    ledgers: held.ledger ?? null,
    reports: held.report ?? null,
  };
}

/** Refuses terms that are shorter than they may be, of those that a change names. */
export function refusedTerms(
  before: TenantSettings,
  change: SettingsChange | undefined,
  floors: Days,
): Problem | undefined {
  if (!change) return undefined;
  const named = (what: Kept) => change[SETTING_OF[what]] !== undefined;
  const refused = tooShort(daysOf({ ...before, ...change }), floors).filter(
    ({ what, because }) => named(what) || (because !== 'floor' && named(because)),
  );
  if (refused.length === 0) return undefined;
  return problem('term_too_short', {
    errors: refused.map(({ what, least, because }) => ({
      pointer: `#/settings/${SETTING_OF[what]}`,
      code: because === 'floor' ? 'below_floor' : 'below_term',
      message:
        because === 'floor'
          ? `The installation keeps this for ${least} days at least.`
          : least === undefined
            ? `What is kept for ever without ${SETTING_OF[because]} would be gone with it: set that, too.`
            : `What is kept for ${least} days by ${SETTING_OF[because]} would be gone with it.`,
    })),
  });
}

function daysOf(settings: SettingsChange): Days {
  const found: Days = {};
  for (const what of KEPT) {
    const set = settings[SETTING_OF[what]];
    if (set !== undefined && set !== null) found[what] = set;
  }
  return found;
}
