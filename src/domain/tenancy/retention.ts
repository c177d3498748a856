/** What a tenant keeps for a term of its own. */
export const KEPT = ['payload', 'event', 'receipt', 'ledger', 'report'] as const;
/** One of {@link KEPT}. */
export type Kept = (typeof KEPT)[number];

/** Days by what is kept for them; an absent one is for ever, or in a floor no day at all. */
export type Days = { [What in Kept]?: number };

/**
 * What a tenant that is made keeps for a time, unless it says otherwise: everything for ninety days, or as long as it wants
 * to have payloads or receipts; but reports, with their lines, for ever.
 */
export function daysOfNewTenant({ payload = 0, receipt = 0 }: Days): Days {
  return { event: Math.max(90, payload, receipt) };
}

/**
 * For how long things are kept: what the tenant set, and no less than the floors of the installation. A payload and a
 * receipt are gone with their event at the latest, and an event stays for as long as either was promised; a report stays for
 * as long as its lines, which is for ever where they have no term. The same words are `retention_days` in Postgres.
 */
export function daysInForce(set: Days, floors: Days): Days {
  const most = (...what: Kept[]) => Math.max(...what.flatMap((each) => [set[each] ?? 0, floors[each] ?? 0]));
  const event = set.event === undefined ? undefined : most('event', 'payload', 'receipt');
  const days = {
    event,
    payload: set.payload === undefined ? event : most('payload'),
    receipt: set.receipt === undefined ? event : most('receipt'),
    ledger: set.ledger === undefined ? undefined : most('ledger'),
    report: set.report === undefined || set.ledger === undefined ? undefined : most('report', 'ledger'),
  };
  return Object.fromEntries(Object.entries(days).filter(([, n]) => n !== undefined));
}

/** A term that cannot be set: shorter than a floor, or than the term of something that it would take with it. */
export interface TermRefused {
  what: Kept;
  /** Absent where what it would take with it is kept for ever. */
  least?: number;
  because: 'floor' | Kept;
}

/** The terms among `set` that are too short. */
export function tooShort(set: Days, floors: Days): TermRefused[] {
  const refused: TermRefused[] = [];
  for (const what of KEPT) {
    const days = set[what];
    if (days === undefined) continue;
    const floor = floors[what];
    if (floor !== undefined && days < floor) refused.push({ what, least: floor, because: 'floor' });
    for (const within of GOES_WITH[what] ?? []) {
      const least = set[within];
      if (least !== undefined && days < least) refused.push({ what, least, because: within });
    }
    // A payload without a term goes with its event, by its own meaning; a line without one is promised for ever.
    if (what === 'report' && set.ledger === undefined) refused.push({ what, because: 'ledger' });
  }
  return refused;
}

/** What is gone when it goes. */
const GOES_WITH: Partial<Record<Kept, Kept[]>> = { event: ['payload', 'receipt'], report: ['ledger'] };
