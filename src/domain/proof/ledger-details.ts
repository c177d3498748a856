import type { ExecutionState } from '../sending/execution-state.ts';
import type { Id } from '../tenancy/typed-id.ts';

/** The results of an operation at one endpoint. */
export interface EndpointResult {
  endpointId: Id<'endpoint'>;
  handle: string;
  /** Versions of the endpoint that its attempts were sent with, ascending. */
  versions: number[];
  /** Items by the state they ended in. */
  counts: Partial<Record<ExecutionState, number>>;
  attempts: number;
  /** Attempts that did not deliver, by fault. */
  faults: Record<string, number>;
  firstAt?: string;
  lastAt?: string;
}

/** What a signed report says of an operation's items, frozen with the counts. */
export interface LedgerDetails {
  endpointCount: number;
  /** The largest of them. */
  endpoints: EndpointResult[];
  /** Attempts that did not deliver, by fault, over all endpoints. */
  faults: Record<string, number>;
  canaries: { endpointId: Id<'endpoint'>; verdict: 'testing' | 'passed' | 'held'; items: number }[];
}
