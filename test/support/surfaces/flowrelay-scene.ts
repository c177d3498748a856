import { randomUUID } from 'node:crypto';
import type { Answer } from '../api/test-client.ts';
import type { TestEngine } from '../engine/test-engine.ts';
import { eventually } from '../eventually.ts';
import { TIME_TO_ANSWER_MS } from '../patience.ts';
import { type Receiver, startReceiver } from '../receivers/receiver.ts';
import { type Behaviour, ok } from '../receivers/receiver-behaviour.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
type Shown = any;

/** How a FlowRelay call is made: under which key of idempotency, by which API key, with which body. */
type As = { key?: string; apiKey?: string; body?: unknown };

/** A tenant with one endpoint whose handoffs are made once and held when their outcome is not known. */
export type FlowRelayScene = {
  tenant: { id: string; handle: string; key: string };
  receiver: Receiver;
  endpoint: Shown;
  /** Calls as the tenant; the answer is checked against the OpenAPI document. */
  call(
    method: string,
    path: string,
    asked?: { key?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<Answer>;
  /** Sends an event; the id of its receipt. */
  send(event?: Record<string, unknown>): Promise<string>;
  /** Sends an event that is refused once its tenant is known; the id of its receipt. */
  rejected(event?: unknown): Promise<string>;
  receipt(receiptId: string): Promise<Shown>;
  guide(receiptId: string, query?: string): Promise<Shown>;
  /** Waits until the receipt has this outcome. */
  reaches(receiptId: string, outcome: string): Promise<Shown>;
  /** Sends an event and waits for its outcome. */
  sent(outcome: string, event?: Record<string, unknown>): Promise<string>;
  preview(receiptId: string, as?: As): Promise<Answer>;
  confirm(replayId: string, as?: As): Promise<Answer>;
  execute(replayId: string, as?: As): Promise<Answer>;
  /** Preview, confirm and execute under one key; fails where one of them is refused. */
  replay(receiptId: string, confirmation?: object): Promise<Shown>;
  /** A key of the tenant with a grant. */
  grant(grant: string): Promise<string>;
  close(): Promise<void>;
};

let scenes = 0;

/** Makes a tenant with an endpoint that behaves so. */
export async function createFlowRelayScene(
  engine: TestEngine,
  behaviour: Behaviour = ok,
  endpoint: Record<string, unknown> | null = {},
): Promise<FlowRelayScene> {
  scenes += 1;
  const { client } = engine;
  const tenant = await client.newTenant(`flowrelay-${scenes}`);
  const receiver = await startReceiver(behaviour);
  const made =
    endpoint === null
      ? undefined
      : await client.newEndpoint(tenant.key, {
          url: receiver.url('/hook'),
          preset: 'flowrelay',
          timeoutMs: TIME_TO_ANSWER_MS,
          retry: { maxAttempts: 1 },
          ...endpoint,
        });
  const call: FlowRelayScene['call'] = (method, path, asked = {}) =>
    client.call(method, path, { key: tenant.key, ...asked });
  const act = (path: string, { key = randomUUID(), apiKey = tenant.key, body = {} }: As = {}) =>
    client.call('POST', `/flowrelay/v1${path}`, { key: apiKey, body, headers: { 'idempotency-key': key } });
  const scene: FlowRelayScene = {
    tenant,
    receiver,
    endpoint: made,
    call,
    async send(event = {}) {
      const accepted = await client.expect(202, 'POST', '/api/v1/events', {
        key: tenant.key,
        body: { type: 'order.paid', payload: { n: 1 }, ...event },
      });
      return receiptIdOf(accepted.body.eventId);
    },
    async rejected(event = { type: 1 }) {
      const refused = await call('POST', '/api/v1/events', { body: event });
      if (refused.status < 400) throw new Error(`it was taken: ${refused.text}`);
      const listed = await call('GET', `/flowrelay/v1/receipts?requestId=${refused.body.instance}`);
      if (listed.body.items.length !== 1) throw new Error(`it has no receipt: ${listed.text}`);
      return listed.body.items[0].receiptId;
    },
    async receipt(receiptId) {
      return (await client.expect(200, 'GET', `/flowrelay/v1/receipts/${receiptId}`, { key: tenant.key }))
        .body;
    },
    async guide(receiptId, query = '') {
      const path = `/flowrelay/v1/receipts/${receiptId}/guide${query}`;
      return (await client.expect(200, 'GET', path, { key: tenant.key })).body;
    },
    async reaches(receiptId, outcome) {
      let seen: Shown;
      await eventually(
        `the receipt says ${outcome}`,
        async () => {
          seen = await scene.receipt(receiptId);
          return seen.outcome === outcome;
        },
        { otherwise: () => JSON.stringify(seen?.outcome) },
      );
      return seen;
    },
    async sent(outcome, event) {
      const receiptId = await scene.send(event);
      await scene.reaches(receiptId, outcome);
      return receiptId;
    },
    preview: (receiptId, as) => act(`/receipts/${receiptId}/replay/preview`, as),
    confirm: (replayId, as) => act(`/replays/${replayId}/confirm`, as),
    execute: (replayId, as) => act(`/replays/${replayId}/execute`, as),
    async replay(receiptId, confirmation = {}) {
      const key = randomUUID();
      const previewed = expectStatus(201, await scene.preview(receiptId, { key }));
      const { replayId } = previewed.body;
      expectStatus(200, await scene.confirm(replayId, { key, body: confirmation }));
      return expectStatus(202, await scene.execute(replayId, { key })).body;
    },
    async grant(grant) {
      const answer = await client.expect(201, 'POST', '/api/v1/keys', {
        body: { tenantId: tenant.id, name: grant, grant },
      });
      return answer.body.key;
    },
    close: () => receiver.close(),
  };
  return scene;
}

/** The id of an event's receipt. */
export function receiptIdOf(eventId: string): string {
  return eventId.replace(/^evt_/, 'rcp_');
}

function expectStatus(status: number, answer: Answer): Answer {
  if (answer.status !== status) throw new Error(`answered ${answer.status}, not ${status}: ${answer.text}`);
  return answer;
}
