import type { OnRecovered } from '../outages/outage-state.ts';
import type { CircuitState } from '../sending/endpoint-health.ts';
import type { ProbeRequest } from '../sending/probe.ts';
import type { OnAmbiguous, RetryPolicy } from '../sending/retry-policy.ts';
import type { Wait } from '../sending/waiting-for.ts';
import type { Id } from '../tenancy/typed-id.ts';
import type { EndpointState } from './endpoint-state.ts';
import type { EventFilter } from './event-filter.ts';
import type { Partner } from './preparation.ts';

/** The effect of a delivery that failed for good on those of its key behind it: they wait, or they pass it. */
export const ON_EXHAUSTED = ['block', 'skip'] as const;

/** One of {@link ON_EXHAUSTED}. */
export type OnExhausted = (typeof ON_EXHAUSTED)[number];

/** A certificate of ours for one endpoint, with its private key sealed under the master key. */
export interface ClientCertificate {
  /** PEM; behind it those between it and its authority. */
  certificate: string;
  sealedKey: Buffer;
}

/** Everything that makes up one immutable version of an endpoint; secrets are apart, for they rotate by themselves. */
export interface EndpointConfig {
  url: string;
  /** Every type where absent. */
  eventTypes?: string[];
  filter?: EventFilter;
  /** Total time limit of one attempt. */
  timeoutMs: number;
  retry: RetryPolicy;
  giveUpAfterMs: number;
  onAmbiguous: OnAmbiguous;
  reconcileWithinMs: number;
  /** The status request that answers whether a delivery was processed. */
  probe?: ProbeRequest;
  /** An answer 202 only says that it was taken: the delivery is unknown until it is acknowledged. */
  requireAck: boolean;
  /** The requests of attempts that are traced say of which trace they are. */
  traceparent: boolean;
  ratePerSecond?: number;
  maxConcurrency?: number;
  /** It is sent less while it is overloaded, and left alone for a while when it is down. */
  protect: boolean;
  /** Events of one key are delivered in the order of their numbers. */
  ordered: boolean;
  /** The effect of a delivery that failed for good on those behind it. */
  onExhausted: OnExhausted;
  /** What follows when it is back after an outage. */
  onRecovered: OnRecovered;
  /** Custom headers, name to value, sealed under the master key. */
  sealedHeaders?: Buffer;
  /** PEM of the authorities that its certificate must be from, in the place of the public ones. */
  caCertificate?: string;
  /** The certificate that it is shown where it asks for one. */
  clientCertificate?: ClientCertificate;
  /** Name of the preset whose documented policy it was made with. */
  preset?: string;
  /** The trading partner for which each file is prepared before it goes there. */
  partner?: Partner;
}

/** Where deliveries go, with its current version. */
export interface Endpoint {
  id: Id<'endpoint'>;
  handle: string;
  /** Its other name, for callers that know endpoints as bridges. */
  luid: string;
  state: EndpointState;
  disabledReason?: 'operator' | 'gone';
  version: number;
  circuit: CircuitState;
  /** The waits that hold back every delivery to it. */
  waitingFor: Wait[];
  config: EndpointConfig;
  createdAt: Date;
  updatedAt: Date;
}
