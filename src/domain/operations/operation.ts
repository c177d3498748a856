import type { ExecutionState } from '../sending/execution-state.ts';
import type { OnAmbiguous } from '../sending/retry-policy.ts';
import type { SurfaceName } from '../tenancy/surface-name.ts';
import type { OperationCounts } from './operation-counts.ts';
import type { Control, OperationKind, OperationState } from './operation-state.ts';
import type { Selection } from './selection.ts';
import type { Halt, WatchOptions } from './watch.ts';

/** What a caller may ask of an operation beside its selection. */
export interface OperationOptions extends WatchOptions {
  ratePerSecond?: number;
  maxConcurrency?: number;
  /** Supersede what is merely queued or scheduled elsewhere, and send it now. */
  takeOverScheduled?: boolean;
  /** ISO 8601; nothing of it is sent before. */
  notBefore?: string;
  giveUpAfterMs?: number;
  /** In the place of what the endpoints do. */
  onAmbiguous?: OnAmbiguous;
  /** Each item is sent only where the endpoint's current types and filter still want its event; else it is ignored. */
  matchFilter?: boolean;
}

/** One retry or replay as the service knows it. Ids are uuids, times are Dates of the database's clock. */
export interface Operation {
  id: string;
  tenantId: string;
  kind: OperationKind;
  surface: SurfaceName;
  workflowId: string;
  interactive: boolean;
  target: 'original' | 'current';
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
  createdAt: Date;
  closedAt?: Date;
  /** Why it was halted last, with the numbers and the time. */
  halt?: Halt & { at: string };
  report?: ClosureReport;
}

/** What an operation's run needs to be started or addressed. */
export type RunnableOperation = Pick<
  Operation,
  'id' | 'tenantId' | 'workflowId' | 'interactive' | 'kind' | 'state' | 'control' | 'controlRevision'
>;

/** What the items of an operation come to, in its largest groups. */
export interface OperationBreakdown {
  /** How many endpoints it has items for. */
  endpointCount: number;
  endpoints: {
    endpointId: string;
    handle: string;
    items: number;
    delivered: number;
    failed: number;
    unknown: number;
    /** Open, ignored, cancelled or superseded. */
    others: number;
  }[];
  /** Why items are not delivered: by state, reason, and what the last attempt came to. */
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
  attempts: number;
  firstAttemptAt?: string;
  lastAttemptAt?: string;
  /** Absent in reports that were written before it was kept. */
  breakdown?: OperationBreakdown;
}
