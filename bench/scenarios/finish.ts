import { setTimeout as delay } from 'node:timers/promises';
import { readId } from '../../src/domain/tenancy/typed-id.ts';
import type { Figures } from '../figures.ts';
import { alternate, type Bench } from '../scenario.ts';
import { ALL_FAILURES, newScene, type Scene } from '../scene.ts';

const PLANS = '/api/v1/retries/plans';
/** First deliveries by whose answers an endpoint is known. */
const KNOWN_BY = 20;

/** What limits the recovery of a case. */
interface FinishCase {
  deliveries: number;
  endpoints?: number;
  behaviour?: 'ok' | 'slow30';
  config?: (n: number, slow: string) => Record<string, unknown>;
  options?: Record<string, unknown>;
  /** Requests at a time that its endpoints bear, as after an outage. */
  window?: number;
}

const CASES = {
  'rate of the operation': { deliveries: 2_000, endpoints: 20, options: { ratePerSecond: 100 } },
  'rate of the endpoint': { deliveries: 750, config: () => ({ ratePerSecond: 50 }) },
  'concurrency, answers after 30 ms': {
    deliveries: 600,
    behaviour: 'slow30',
    config: () => ({ maxConcurrency: 4 }),
  },
  'window, answers after 30 ms': { deliveries: 1_500, behaviour: 'slow30', window: 2 },
  'canary and ramp': {
    deliveries: 1_000,
    options: {
      canary: { count: 25, maxFailurePercent: 10 },
      ramp: { startPerSecond: 10, everySeconds: 2 },
    },
  },
  'five endpoints, one of them slow': {
    deliveries: 750,
    endpoints: 5,
    config: (n, slow) => (n === 0 ? { url: slow, maxConcurrency: 2 } : {}),
  },
  'nothing limits': { deliveries: 10_000, endpoints: 20 },
} satisfies Record<string, FinishCase>;

/** The cases by name. */
export const FINISH_CASES = Object.keys(CASES);

/**
 * The time to finish that a plan shows, and what its execution then takes: from the POST until the operation is closed,
 * and until the last request is at the receiver. `outsideSeconds` is by how much the former misses the range.
 */
export async function finish(bench: Bench): Promise<void> {
  const { rig, size, progress } = bench;
  await rig.setWorkers(1);
  await alternate(
    bench,
    Object.entries(CASES).map(([name, of]) => ({
      name: `finish, ${name}`,
      rounds: 1,
      measure: () => measure(of),
    })),
  );

  async function measure(of: FinishCase): Promise<Figures> {
    const { endpoints = 1, behaviour = 'ok', config, options = {}, window } = of;
    const items = size(of.deliveries, { least: of.deliveries / 10, most: of.deliveries });
    const slow = rig.receiver.urlOf('/slow30/finish');
    const scene = await newScene(rig, {
      behaviour,
      endpoints,
      ...(config && { config: (n) => config(n, slow) }),
    });
    await rig.receiver.forget();
    await deliverSome(scene);
    await scene.seed(items, 200);
    if (window !== undefined)
      await rig.pool.query(
        'update endpoint_pacing set window_size = $2 where endpoint_id = any($1::uuid[])',
        [scene.endpointIds, window],
      );
    const { id, operationId, planHash, timeToFinish } = await plan(scene, options);
    const { minSeconds, maxSeconds } = timeToFinish;
    const startedAtMs = performance.timeOrigin + performance.now();
    await rig.client.expect(202, 'POST', `${PLANS}/${id}/execute`, { key: scene.key, body: { planHash } });
    const seconds = (await closedAtMs(operationId, items)) / 1_000 - startedAtMs / 1_000;
    const { counts } = await scene.retries.ended(operationId);
    const { lastAtMs, twice } = await rig.receiver.ledger();
    if (counts.expected !== items || counts.delivered !== items || twice > 0)
      throw new Error(`the ledgers do not add up: ${JSON.stringify({ items, counts, twice })}`);
    return {
      minSeconds,
      ...(maxSeconds !== null && { maxSeconds }),
      seconds,
      sentSeconds: (lastAtMs - startedAtMs) / 1_000,
      outsideSeconds: Math.max(0, minSeconds - seconds, seconds - (maxSeconds ?? Number.POSITIVE_INFINITY)),
    };
  }

  /** First deliveries, by which it is known how long each endpoint takes to answer. */
  async function deliverSome({ key, endpointIds }: Scene): Promise<void> {
    for (let n = 0; n < KNOWN_BY; n++)
      await rig.client.expect(202, 'POST', '/api/v1/events', {
        key,
        body: { type: 'bench', payload: { n } },
      });
    const wanted = KNOWN_BY * endpointIds.length;
    for (let delivered = 0; delivered < wanted; await delay(20)) {
      const { rows } = await rig.pool.query<{ delivered: number }>(
        `select count(*)::int as delivered from deliveries where endpoint_id = any($1::uuid[]) and state = 'delivered'`,
        [endpointIds],
      );
      delivered = rows[0]?.delivered ?? 0;
    }
  }

  async function plan({ key }: Scene, options: Record<string, unknown>) {
    const { body: made } = await rig.client.expect(201, 'POST', PLANS, {
      key,
      body: { ...ALL_FAILURES, options },
    });
    for (;;) {
      const { body } = await rig.client.expect(200, 'GET', `${PLANS}/${made.id}?wait=5`, { key });
      if (body.planHash !== null) return body;
    }
  }

  /** Waits until an operation is closed, by one small statement at a time; on the clock of `performance.timeOrigin`. */
  async function closedAtMs(id: string, items: number): Promise<number> {
    for (;;) {
      await delay(20);
      const { rows } = await rig.pool.query<{ closed: boolean; delivered: number }>(
        `select closed_at is not null as closed, c.delivered
        from operations o join operation_counts c on c.operation_id = o.id where o.id = $1`,
        [readId('operation', id)],
      );
      progress.at(rows[0]?.delivered ?? 0, items);
      if (rows[0]?.closed) return performance.timeOrigin + performance.now();
    }
  }
}
