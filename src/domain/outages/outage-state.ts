import type { Id } from '../tenancy/typed-id.ts';

/** Why an outage was opened. */
export const OUTAGE_CAUSES = ['circuit_open', 'gone', 'disabled', 'not_delivered'] as const;

/** One of {@link OUTAGE_CAUSES}. */
export type OutageCause = (typeof OUTAGE_CAUSES)[number];

/** The states of an outage. */
export const OUTAGE_STATES = ['open', 'recovered', 'closed', 'dismissed'] as const;

/** State of an outage. */
export type OutageState = (typeof OUTAGE_STATES)[number];

/**
 * The one transition table; `outage_may_become` in migrations/0012-outages.sql mirrors it and a test compares them. One
 * that has recovered is open again where its endpoint fails soon after; one that is open is closed where its endpoint is
 * deleted, or where nothing is left that could show whether it is back.
 */
export const OUTAGE_TRANSITIONS: Readonly<Record<OutageState, readonly OutageState[]>> = {
  open: ['recovered', 'closed', 'dismissed'],
  recovered: ['open', 'closed', 'dismissed'],
  closed: [],
  dismissed: [],
};

/** Why an outage ended. */
export const OUTAGE_ENDS = ['nothing_left', 'dismissed', 'retention', 'endpoint_deleted'] as const;

/** One of {@link OUTAGE_ENDS}. */
export type OutageEnd = (typeof OUTAGE_ENDS)[number];

/** What follows when an endpoint is back: nothing, a plan, or a plan that is executed at once. */
export const ON_RECOVERED = ['none', 'propose', 'run'] as const;

/** One of {@link ON_RECOVERED}. */
export type OnRecovered = (typeof ON_RECOVERED)[number];

/** A change of an outage, as it is told and logged. */
export interface OutageChange {
  outageId: Id<'outage'>;
  tenantId: Id<'tenant'>;
  endpointId: Id<'endpoint'>;
  cause: OutageCause;
  now: OutageState;
  /** How often it was opened, and since when it is. */
  openings: number;
  beganAt: Date;
}
