import type { Classification } from '../domain/sending/classification.ts';
import { showId } from '../domain/tenancy/typed-id.ts';
import type { ClaimedItem } from '../store/sending/claims.ts';
import type { TraceFacts, TraceSpan, Tracing } from '../telemetry/tracing.ts';

/** The header of W3C's Trace Context. */
const TRACEPARENT = 'traceparent';

/** What a span says of an attempt. */
type TracedItem = Pick<ClaimedItem, 'deliveryId' | 'endpointId' | 'attempts'>;

/** Traces the attempts of one slice: some of them, where the slice is traced, and its failures as events, as many as a span holds. */
export class AttemptTraces {
  readonly #tracing: Tracing | undefined;
  readonly #slice: TraceSpan | undefined;
  readonly #lane: 'bulk' | 'live';

  constructor(tracing: Tracing | undefined, slice: TraceSpan | undefined, lane: 'bulk' | 'live') {
    this.#tracing = tracing;
    this.#slice = slice;
    this.#lane = lane;
  }

  /** Begins the span of an attempt that is picked; the live lane has no slice that ends, and its attempts begin traces. */
  begin(item: TracedItem): TraceSpan | undefined {
    if (this.#tracing === undefined) return undefined;
    if (this.#slice === undefined)
      return this.#lane === 'live' ? this.#tracing.begin('attempt', () => factsOf(item)) : undefined;
    return this.#tracing.picks() ? this.#slice.child('attempt', factsOf(item)) : undefined;
  }

  /** Ends it with its outcome. Of most attempts nothing is told: these cost one look. */
  end(item: TracedItem, { outcome, faultCode, httpStatus }: Classification, span?: TraceSpan): void {
    const failed = outcome !== 'delivered' && outcome !== 'released';
    const slice = failed ? this.#slice : undefined;
    if (span === undefined && slice === undefined) return;
    const facts: TraceFacts = {
      'redrive.outcome': outcome,
      ...(faultCode === undefined ? {} : { 'error.type': faultCode }),
      ...(httpStatus === undefined ? {} : { 'http.response.status_code': httpStatus }),
    };
    slice?.event('attempt.failed', { ...factsOf(item), ...facts });
    span?.set(facts);
    span?.end({ failed });
  }
}

function factsOf(item: TracedItem): TraceFacts {
  return {
    'redrive.delivery.id': showId('delivery', item.deliveryId),
    'redrive.endpoint.id': showId('endpoint', item.endpointId),
    'redrive.attempt': item.attempts + 1,
  };
}

/** Custom headers with the one that names a span, in the place of one of that name which never changes. */
export function withTraceparent(
  custom: Readonly<Record<string, string>>,
  { traceparent }: TraceSpan,
): Record<string, string> {
  const others = Object.entries(custom).filter(([name]) => name.toLowerCase() !== TRACEPARENT);
  return { ...Object.fromEntries(others), [TRACEPARENT]: traceparent };
}
