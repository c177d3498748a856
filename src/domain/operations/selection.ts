import type { DeliveryState } from '../sending/delivery-state.ts';
import type { ExecutionState } from '../sending/execution-state.ts';
import type { Id } from '../tenancy/typed-id.ts';
import type { TimeBound } from '../time/instant.ts';

/** A filter over deliveries: members join by AND, the entries of an array by OR, an empty array matches nothing. */
export interface DeliveryFilter {
  deliveryIds?: Id<'delivery'>[];
  state?: DeliveryState[];
  endpointIds?: Id<'endpoint'>[];
  eventTypes?: string[];
  sources?: string[];
  faultCodes?: string[];
  httpStatus?: number[];
  ingestionBatchIds?: string[];
  dispatchBatchIds?: string[];
  key?: string;
  /** Acceptance of the event. Each bound is open or closed by itself: the surfaces differ. */
  from?: TimeBound;
  to?: TimeBound;
  lastAttemptBefore?: TimeBound;
  lastAttemptAfter?: TimeBound;
  /** Only deliveries whose newest execution has been open for longer. */
  pendingLongerThanMs?: number;
  /** Of those with an open execution only the ones whose execution has been open for longer; the others as they are. */
  ifPendingLongerThanMs?: number;
  /** The newest attempt began, or where there is none the newest execution was made, at most this long ago. */
  activeWithinMs?: number;
  /** Others of its endpoint and key wait for it. */
  blocking?: true;
  /** Of those that were ignored only the ones that were for one of these reasons; the others as they are. */
  ignoredFor?: string[];
  eventIds?: Id<'event'>[];
  /** Numbers of events within the tenant, in decimal digits. */
  eventNumbers?: string[];
  /** Only deliveries that have an open execution, or only those that have none. */
  open?: boolean;
  /** Of those that are not delivered only the ones with an open execution, or only those without; delivered ones as they are. */
  undeliveredOpen?: boolean;
  /** Only deliveries that were attempted, or only those that never were. */
  attempted?: boolean;
  newest?: NewestExecution;
  /** Accepted at `from` or later; or earlier, and tried in vain, given up or ignored between the two. */
  caughtBetween?: { from: TimeBound; to: TimeBound };
}

/** Conditions on the newest execution of a delivery: the one that has no child. */
export interface NewestExecution {
  ids?: Id<'execution'>[];
  states?: ExecutionState[];
  /** When it ended. */
  after?: TimeBound;
  before?: TimeBound;
  /** Why it ended: one of these, or none of those. */
  reasons?: { in: string[] } | { notIn: string[] };
}

/** A filter over events; like that over deliveries. */
export interface EventSelection {
  eventIds?: Id<'event'>[];
  eventNumbers?: string[];
  ingestionBatchIds?: string[];
  sources?: string[];
  /** Acceptance. */
  from?: TimeBound;
  to?: TimeBound;
}

/** Whose deliveries an operation of the platform selects: ids of tenants, or all of them. */
export type SelectedTenants = 'all' | Id<'tenant'>[];

/**
 * The only endpoints that events are matched with. A delivery that they had is decided as in every other retry, whether
 * they still want its event or not; an event that they never had they get where they want it, or `unfiltered` in any
 * case.
 */
export interface NamedEndpoints {
  ids: Id<'endpoint'>[];
  unfiltered?: boolean;
}

/** The selection of an operation. Ids are uuids. With `tenants` it spans these; else it is bound to its own tenant. */
export type Selection =
  | { deliveryIds: Id<'delivery'>[] }
  | { eventIds: Id<'event'>[] }
  | { executionIds: Id<'execution'>[] }
  | { failuresOf: Id<'operation'> }
  /** Deliveries that an operation selected and did not deliver, for whatever reason. */
  | { remainderOf: Id<'operation'> }
  /** With `outage` the filter is the window of that one, as it was when this was asked for. */
  | { outage?: Id<'outage'>; filter: DeliveryFilter; tenants?: SelectedTenants }
  /**
   * These events are matched afresh: an endpoint that wants one and never had it gets its first delivery; where it had
   * one, that delivery is decided as in every other retry, or excluded where the endpoint no longer wants the event.
   */
  | { afresh: EventSelection; endpoints?: NamedEndpoints; tenants?: SelectedTenants };

/** Deliveries that can be settled as a whole: named, or selected by a filter. Ids are uuids. */
export type Resolvable =
  | { deliveryIds: Id<'delivery'>[] }
  | { eventIds: Id<'event'>[] }
  | { executionIds: Id<'execution'>[] }
  | { filter: DeliveryFilter };

/** The most ids that an explicit list may name; such a list is resolved before the answer. */
export const MAX_EXPLICIT_IDS = 1_000;

/** Whether the selection names its items and so is resolved when the operation is accepted. */
export function isExplicit(selection: Selection): boolean {
  const ids = namedIds(selection);
  return ids !== undefined && ids.length <= MAX_EXPLICIT_IDS;
}

/** Whether it selects deliveries that another operation left. */
export function isOfOperation(
  selection: Selection,
): selection is { failuresOf: Id<'operation'> } | { remainderOf: Id<'operation'> } {
  return 'failuresOf' in selection || 'remainderOf' in selection;
}

/** Whether the selection names its deliveries, in whatever number, or what they are of. */
export function namesIds(selection: Selection): boolean {
  return namedIds(selection) !== undefined;
}

/** The shortest list of ids that the selection names; undefined where it names none. */
function namedIds(selection: Selection): string[] | undefined {
  if ('deliveryIds' in selection) return selection.deliveryIds;
  if ('eventIds' in selection) return selection.eventIds;
  if ('executionIds' in selection) return selection.executionIds;
  if (isOfOperation(selection) || selection.tenants !== undefined) return undefined;
  const lists =
    'afresh' in selection
      ? [selection.afresh.eventIds, selection.afresh.eventNumbers]
      : [
          selection.filter.deliveryIds,
          selection.filter.eventIds,
          selection.filter.eventNumbers,
          selection.filter.newest?.ids,
        ];
  return lists.filter((list) => list !== undefined).sort((a, b) => a.length - b.length)[0];
}

/** Whether the selection names exactly one thing: the single retry that one asks for by hand. */
export function isSingle(selection: Selection): boolean {
  return new Set(namedIds(selection)).size === 1;
}

/** Why a delivery that was selected did not become an item. */
export const EXCLUSION_REASONS = [
  'coalesced',
  'already_delivered',
  'changed_since',
  'held',
  'outcome_unknown',
  'suppressed_duplicate',
  'resent',
  'payload_expired',
  'endpoint_disabled',
  'endpoint_deleted',
  'endpoint_changed',
  'no_longer_matches',
  'already_retried',
  'not_retryable',
] as const;

/** Reason of an exclusion. */
export type ExclusionReason = (typeof EXCLUSION_REASONS)[number];
