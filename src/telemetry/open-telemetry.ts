import { type Link, ROOT_CONTEXT, type Span, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { TraceFacts, TraceSpan, Tracing } from './tracing.ts';

/** A collector, and the part of the calls that it is told of. */
export interface TraceTarget {
  /** The base of an OTLP collector over HTTP; `/v1/traces` is added. */
  endpoint: string;
  ratio: number;
  version: string;
  role: 'api' | 'worker' | 'all';
}

/** What cannot be handed over within this time at the end is left behind: a collector that is away must not hold a stop. */
const STOP_WITHIN_MS = 2_000;

/**
 * A slice has its failed attempts as events, and may have tens of thousands: the newest are kept, and it says how many
 * more there were. What a collector takes in one call is some megabytes.
 */
const EVENTS_OF_A_SPAN = 1_000;

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-01$/;

/**
 * Spans made by hand and sent in batches. Without a global provider and without async hooks: those would cost something at
 * every promise of the process, sampled or not. More than the queue holds is dropped, and a collector that is away costs
 * nothing else.
 */
export function startTracing({ endpoint, ratio, version, role }: TraceTarget): Tracing {
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, '')}/v1/traces` });
  const processor = new BatchSpanProcessor(exporter, {
    scheduledDelayMillis: 1_000,
    exportTimeoutMillis: 5_000,
  });
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({
      'service.name': 'redrive',
      'service.version': version,
      'redrive.role': role,
    }),
    // The dice are ours: what a caller asks for must not decide what it costs us.
    sampler: new AlwaysOnSampler(),
    spanLimits: { eventCountLimit: EVENTS_OF_A_SPAN },
    spanProcessors: [processor],
  });
  const tracer = provider.getTracer('redrive', version);
  const picks = () => Math.random() < ratio;
  const root = (name: string, facts: TraceFacts, links: Link[] = []) =>
    spanOf(tracer, tracer.startSpan(name, { attributes: facts, links, root: true }, ROOT_CONTEXT));
  return {
    picks,
    begin: (name, facts) => (picks() ? root(name, facts()) : undefined),
    follow: (name, traceparent, facts) => root(name, facts, linksTo(traceparent)),
    async stop() {
      const late = new Promise<void>((resolve) => setTimeout(resolve, STOP_WITHIN_MS).unref());
      await Promise.race([provider.shutdown().catch(() => {}), late]);
    },
  };
}

function spanOf(tracer: Tracer, span: Span): TraceSpan {
  const { traceId, spanId } = span.spanContext();
  return {
    traceparent: `00-${traceId}-${spanId}-01`,
    child: (name, facts = {}) =>
      spanOf(tracer, tracer.startSpan(name, { attributes: facts }, trace.setSpan(ROOT_CONTEXT, span))),
    set: (facts) => void span.setAttributes(facts),
    event: (name, facts) => void span.addEvent(name, facts),
    end({ failed } = { failed: false }) {
      if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}

function linksTo(traceparent: string): Link[] {
  const [, traceId, spanId] = TRACEPARENT.exec(traceparent) ?? [];
  return traceId && spanId ? [{ context: { traceId, spanId, traceFlags: 1, isRemote: true } }] : [];
}
