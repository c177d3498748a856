import type { EndpointPresets } from '../domain/endpoints/preset.ts';
import type { AcceptEvents } from '../ingest/create-ingest.ts';
import type { RecoveryDeps } from '../operations/recovery-deps.ts';
import type { AddressGuard } from '../outbound/address-guard.ts';
import type { KeySets } from '../outbound/key-sets.ts';
import type { Sealer } from '../sealing/sealing.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import type { SeenRun } from '../temporal/operation-runs.ts';
import type { RateLimit } from './limits/rate-limit.ts';
import type { ReadLimits } from './limits/read-turns.ts';
import type { StreamLimits } from './limits/stream-places.ts';

/** State of one part that the service needs. */
export interface PartState {
  name: string;
  ready: boolean;
  /** A word for people, such as `connected` or `no poller`; shown to anyone, so nothing secret. */
  state: string;
}

/** The run of an operation; no run where Temporal knows none, and neither where it does not answer. */
export interface LookedAtRun {
  answers: boolean;
  run?: SeenRun;
  /** Its page in the Temporal UI, where that is known. */
  page?: string;
}

/** The parts that the API works with. */
export interface ApiDeps extends RecoveryDeps {
  /** The one acceptor of events of this process. */
  acceptEvents: AcceptEvents;
  /** The presets, by the name of their surface, whose policy an endpoint can take. */
  presets: EndpointPresets;
  sealer: Sealer;
  guard: AddressGuard;
  /** Keys that issuers of tokens publish. */
  keySets: KeySets;
  log: Log;
  metrics: Metrics;
  /** Absent where nothing is traced. */
  tracing?: Tracing | undefined;
  /** Postgres, Temporal and a polling worker, each with its state; never throws. */
  readiness(): Promise<PartState[]>;
  /** What is measured besides `metrics`, in the format of Prometheus. */
  moreMetrics?(): Promise<string>;
  /** The run of an operation as Temporal tells it, or that it does not answer; never throws. */
  lookAtRun(workflowId: string): Promise<LookedAtRun>;
  version: string;
  /** Aborted when the server shuts down: streams end, so that connections can. */
  shutdown: AbortSignal;
  rateLimit?: RateLimit;
  streamLimits?: Partial<StreamLimits>;
  readLimits?: Partial<ReadLimits>;
  /** How long a request that is no upload may take to arrive; minutes where left out. */
  arrivesWithinMs?: number;
  /** How often a listener is asked whether it is still there; by `LISTENER_ASKED_EVERY_MS` where left out. */
  listenersAskedEveryMs?: number;
  /** The origin that browsers know the service by; undefined where nobody can tell, as others reach it by names of theirs. */
  publicOrigin(): string | undefined;
  /** The folder of the built console. */
  consoleFiles: string;
  /** CIDRs of the proxies whose `X-Forwarded-For` says where a request comes from; none where left out. */
  trustedProxies?: readonly string[];
}
