import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';

/** A span as a collector reads it; ids in hex. */
export interface CollectedSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId: string;
  facts: Record<string, unknown>;
  events: { name: string; facts: Record<string, unknown> }[];
  /** Events that the span had no room for. */
  droppedEvents: number;
  links: { traceId: string; spanId: string }[];
  failed: boolean;
}

/** A collector of traces by OTLP over HTTP, in protobuf, as any other vendor's. */
export interface OtlpCollector {
  url: string;
  readonly spans: readonly CollectedSpan[];
  /** Facts of the process that the spans are of. */
  readonly resource: Record<string, unknown>;
  close(): Promise<void>;
}

/** The part of the published protocol that is read here, written down anew: not what the exporter is made from. */
const REQUEST = protobuf
  .parse(`syntax = "proto3";
  message Request { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { repeated Span spans = 2; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5;
    repeated KeyValue attributes = 9; repeated Event events = 11; uint32 dropped_events_count = 12; repeated Link links = 13; Status status = 15;
  }
  message Event { string name = 2; repeated KeyValue attributes = 3; }
  message Link { bytes trace_id = 1; bytes span_id = 2; }
  message Status { int32 code = 3; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
`)
  .root.lookupType('Request');

type KeyValues = { key: string; value: Record<string, unknown> }[] | undefined;
type Decoded = {
  resourceSpans?: {
    resource?: { attributes?: KeyValues };
    scopeSpans?: {
      spans?: {
        traceId: Buffer;
        spanId: Buffer;
        parentSpanId?: Buffer;
        name: string;
        attributes?: KeyValues;
        events?: { name: string; attributes?: KeyValues }[];
        droppedEventsCount?: number;
        links?: { traceId: Buffer; spanId: Buffer }[];
        status?: { code?: number };
      }[];
    }[];
  }[];
};

/** Starts one on a free port of 127.0.0.1. */
export async function startOtlpCollector(): Promise<OtlpCollector> {
  const spans: CollectedSpan[] = [];
  const resource: Record<string, unknown> = {};
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const decoded = REQUEST.toObject(
      REQUEST.decode(request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body),
      { longs: Number, bytes: Buffer },
    ) as Decoded;
    for (const ofResource of decoded.resourceSpans ?? []) {
      Object.assign(resource, factsOf(ofResource.resource?.attributes));
      for (const span of (ofResource.scopeSpans ?? []).flatMap((scope) => scope.spans ?? []))
        spans.push({
          name: span.name,
          traceId: hex(span.traceId),
          spanId: hex(span.spanId),
          parentSpanId: hex(span.parentSpanId),
          facts: factsOf(span.attributes),
          events: (span.events ?? []).map(({ name, attributes }) => ({ name, facts: factsOf(attributes) })),
          droppedEvents: span.droppedEventsCount ?? 0,
          links: (span.links ?? []).map((link) => ({ traceId: hex(link.traceId), spanId: hex(link.spanId) })),
          failed: span.status?.code === 2,
        });
    }
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    resource,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function hex(bytes: Buffer | undefined): string {
  return bytes === undefined ? '' : Buffer.from(bytes).toString('hex');
}

function factsOf(attributes: KeyValues): Record<string, unknown> {
  return Object.fromEntries((attributes ?? []).map(({ key, value }) => [key, Object.values(value)[0]]));
}
