import type { Matchable } from '../store/tenancy/endpoint-versions.ts';

/** An event as it came in, checked. */
export interface IncomingEvent {
  externalId?: string | undefined;
  type: string;
  source?: string | undefined;
  key?: string | undefined;
  occurredAt?: Date | undefined;
  ingestionBatchId?: string | undefined;
  /** Exactly as it was sent. */
  body: string;
  payloadBytes: number;
  /** The body parsed, to match filters with. */
  payload: unknown;
}

/** An incoming event with the endpoints that want it. */
export type MatchedEvent = IncomingEvent & { endpoints: Matchable[] };
