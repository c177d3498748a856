import { randomUUID } from 'node:crypto';
import { OPERATION_ENDS, type OperationState } from '../../../src/domain/operations/operation-state.ts';
import { type Id, type IdKind, readId } from '../../../src/domain/tenancy/typed-id.ts';
import { eventually } from '../eventually.ts';
import type { Answer, TestClient } from './test-client.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
type Shown = any;

/** Drives the retries of one tenant over the API; every answer is validated against the OpenAPI document. */
export type Retries = {
  /** Starts one under a key of its own and returns the answer's body. */
  start(body: Record<string, unknown>): Promise<Shown>;
  /** Posts under this key, whatever comes of it. */
  post(body: Record<string, unknown>, idempotencyKey?: string): Promise<Answer>;
  show(id: string): Promise<Shown>;
  /** Pauses, resumes, cancels or paces; returns the answer's body. */
  control(id: string, verb: 'pause' | 'resume' | 'cancel' | 'rate', body?: unknown): Promise<Shown>;
  /** Waits until it is in one of these states. */
  reaches(id: string, states: readonly OperationState[], withinMs?: number): Promise<Shown>;
  /** Waits until it has ended, and checks that its counts add up. */
  ended(id: string, withinMs?: number): Promise<Shown>;
  /** All lines of its ledger, page by page. */
  items(id: string, state?: string): Promise<Shown[]>;
  report(id: string): Promise<Shown>;
};

/** The retries of the tenant that this key belongs to. */
export function retriesOf(client: TestClient, key: string): Retries {
  const path = '/api/v1/retries';
  const show: Retries['show'] = async (id) =>
    (await client.expect(200, 'GET', `${path}/${id}`, { key })).body;
  const post: Retries['post'] = (body, idempotencyKey) =>
    client.call('POST', path, {
      key,
      body,
      ...(idempotencyKey === undefined ? {} : { headers: { 'idempotency-key': idempotencyKey } }),
    });
  const reaches: Retries['reaches'] = async (id, states, withinMs = 20_000) => {
    let seen: Shown;
    await eventually(
      `the operation is ${states.join(' or ')}`,
      async () => {
        seen = await show(id);
        return states.includes(seen.state);
      },
      {
        withinMs,
        otherwise: () => JSON.stringify({ state: seen?.state, counts: seen?.counts, next: seen?.nextEvent }),
      },
    );
    return seen;
  };
  return {
    show,
    post,
    reaches,
    async start(body) {
      const answer = await post(body, randomUUID());
      if (answer.status !== 202) throw new Error(`not accepted: ${answer.status} ${answer.text}`);
      return answer.body;
    },
    async control(id, verb, body) {
      return (await client.expect(200, 'POST', `${path}/${id}/${verb}`, { key, body })).body;
    },
    async ended(id, withinMs) {
      const operation = await reaches(id, OPERATION_ENDS, withinMs);
      const { expected, ...parts } = operation.counts;
      const sum = Object.values(parts as Record<string, number>).reduce((total, n) => total + n, 0);
      if (sum !== expected) throw new Error(`the counts do not add up: ${JSON.stringify(operation.counts)}`);
      return operation;
    },
    async items(id, state) {
      const items: Shown[] = [];
      let cursor: string | null = null;
      do {
        const query = new URLSearchParams({
          limit: '200',
          ...(state ? { state } : {}),
          ...(cursor ? { cursor } : {}),
        });
        const page: Shown = await client.expect(200, 'GET', `${path}/${id}/items?${query}`, { key });
        items.push(...page.body.items);
        cursor = page.body.nextCursor;
      } while (cursor !== null);
      return items;
    },
    async report(id) {
      return (await client.expect(200, 'GET', `${path}/${id}/report`, { key })).body;
    },
  };
}

/** The uuid in an id as it is shown. */
export function uuidIn<Kind extends IdKind>(kind: Kind, shown: string): Id<Kind> {
  const uuid = readId(kind, shown);
  if (uuid === undefined) throw new Error(`no id of this kind: ${shown}`);
  return uuid;
}
