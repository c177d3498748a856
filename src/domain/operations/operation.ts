import type { ExecutionState } from '../sending/execution-state.ts';
import type { OnAmbiguous } from '../sending/retry-policy.ts';
import type { Wait } from '../sending/waiting-for.ts';
import type { SurfaceName } from '../tenancy/surface-name.ts';
import type { Id } from '../tenancy/typed-id.ts';
import type { OperationCounts, Remainder } from './operation-counts.ts';
import type { Control, OperationKind, OperationState } from './operation-state.ts';
import type { Selection } from './selection.ts';
import type { Halt, WatchOptions } from './watch.ts';

/** Options of an operation besides its selection. */
export interface OperationOptions extends WatchOptions {
  ratePerSecond?: number;
  maxConcurrency?: number;
  /** Supersede executions that are merely queued or scheduled elsewhere, and send now. */
  takeOverScheduled?: boolean;
  /** ISO 8601; nothing of it is sent before. */
  notBefore?: string;
  giveUpAfterMs?: number;
  /** How long its items wait at an endpoint that an operator disables; 15 minutes where absent. */
  disabledPatienceMs?: number;
  /** In the place of the endpoints' policies. */
  onAmbiguous?: OnAmbiguous;
  /** Each item is sent only where the endpoint's current types and filter still want its event; else it is ignored. */
  matchFilter?: boolean;
  /** A replay also of deliveries that were sent again: the receiver may get the event twice, under two ids. */
  includeResent?: boolean;
}

/** One retry or replay as the service knows it. Ids are uuids, times are Dates of the database's clock. */
export interface Operation {
  id: Id<'operation'>;
  tenantId: Id<'tenant'>;
  kind: OperationKind;
  surface: SurfaceName;
  workflowId: string;
  interactive: boolean;
  target: 'original' | 'current';
  /** Of a replay: each delivery that it selects is sent as a new one, which points to it. */
  newIdentity: boolean;
  selection: Selection;
  options: OperationOptions;
  reason?: string;
  ticket?: string;
  /** Who asked for it, as its credential names it. */
  requestedBy: string;
  state: OperationState;
  control: Control;
  controlRevision: number;
  ratePerSecond?: number;
  watermark: Date;
  counts: OperationCounts;
  nextEvent?: string;
  nextEventAt?: Date;
  /** A start that Temporal has not confirmed for a while, or a run that had to be revived. */
  stalled: boolean;
  /** Events that it was expected to send when it was asked for, where that was counted. */
  estimatedEvents?: number;
  /** Deliveries of the plan that it was, or still is; those that are found so far while that is made. */
  plannedItems?: number;
  createdAt: Date;
  closedAt?: Date;
  /** When it began to run, the last time, and how many of its items had ended by then. */
  running?: { since: Date; endedBefore: number };
  /** Its selection has ended. */
  selected: boolean;
  /** Why it was halted last, with the evidence and the time. */
  halt?: Halt & { at: string };
  report?: ClosureReport;
  /** The waits that hold back items of it; only where they were asked for. */
  waitingFor?: Wait[];
}

/** The members of an operation by which its run is started or addressed. */
export type RunnableOperation = Pick<
  Operation,
  'id' | 'tenantId' | 'workflowId' | 'interactive' | 'kind' | 'state' | 'control' | 'controlRevision'
>;

/** The outcomes of an operation's items, in its largest groups. */
export interface OperationBreakdown {
  /** How many endpoints it has items for. */
  endpointCount: number;
  endpoints: {
    endpointId: Id<'endpoint'>;
    handle: string;
    items: number;
    delivered: number;
    failed: number;
    unknown: number;
    /** Open, ignored, cancelled or superseded. */
    others: number;
  }[];
  /** Why items are not delivered: by state, reason, and the outcome of the last attempt. */
  causes: {
    state: ExecutionState;
    reason?: string;
    faultCode?: string;
    httpStatus?: number;
    items: number;
  }[];
}

/** The result of one operation, frozen when it closed; it is written only where the ledger agrees with the counts. */
export interface ClosureReport {
  counts: OperationCounts;
  /** Failed although an attempt may have arrived. */
  mayHaveArrived: number;
  exclusions: Partial<Record<string, number>>;
  /** Absent in reports of operations that closed before it was counted. */
  remainder?: Remainder;
  attempts: number;
  firstAttemptAt?: string;
  lastAttemptAt?: string;
  /** Absent in reports that were written before it was kept. */
  breakdown?: OperationBreakdown;
}
