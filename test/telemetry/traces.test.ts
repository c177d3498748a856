import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { startTracing } from '../../src/telemetry/open-telemetry.ts';
import { ALL_FAILURES, createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { startTestEngine } from '../support/engine/test-engine.ts';
import { useScenes } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { type OtlpCollector, startOtlpCollector } from '../support/receivers/otlp-collector.ts';
import { ok, status } from '../support/receivers/receiver-behaviour.ts';
import { use } from '../support/use.ts';

/** What a collector of somebody else is told, and that nothing is told without one. */

/** More than are sent by the live lane. */
const ITEMS = 60;

const named = ({ spans }: OtlpCollector, name: string) => spans.filter((span) => span.name === name);

/** The attempts at the endpoint of a scene that a collector was told of, as `traceparent` names them. */
const spansAt = (collector: OtlpCollector, { endpoints: [endpoint] }: Scene) =>
  named(collector, 'attempt')
    .filter(({ facts }) => facts['redrive.endpoint.id'] === endpoint.id)
    .map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`)
    .sort();

describe('with a collector', () => {
  const collector = use(startOtlpCollector, (each) => each.close());
  const engine = use(
    () => startTestEngine({ traces: { endpoint: collector.url, ratio: 1 } }),
    (each) => each.close(),
  );
  const newScene = useScenes(engine);

  test('a slice of more failures than a collector takes has the newest, and says how many more there were', async () => {
    const tracing = startTracing({ endpoint: collector.url, ratio: 1, version: '0', role: 'worker' });
    const slice = tracing.begin('a large slice', () => ({}));
    for (let number = 1; number <= 1_200; number++) slice?.event('attempt.failed', { number });
    slice?.end();
    await tracing.stop();
    await eventually('it is told', () => named(collector, 'a large slice').length === 1);
    const [told] = named(collector, 'a large slice');
    expect(told?.events.map(({ facts }) => facts.number)).toEqual(
      Array.from({ length: 1_000 }, (_, index) => 201 + index),
    );
    expect(told?.droppedEvents).toBe(200);
  });

  test('a sampled call leads to its operation, its slices and each of its attempts', async () => {
    const it = await newScene([ok, status(422)]);
    await it.seed(ITEMS);
    const { id } = await it.retries.start({ ...ALL_FAILURES, reason: 'the-words-of-a-customer' });
    await it.retries.ended(id);
    const attempts = () => named(collector, 'attempt').filter(({ parentSpanId }) => parentSpanId !== '');
    await eventually('the attempts are told', () => attempts().length >= ITEMS, {
      withinMs: 20_000,
      otherwise: () => JSON.stringify(collector.spans.map(({ name }) => name)),
    });
    const [call] = named(collector, 'POST /api/v1/retries');
    expect(call).toMatchObject({
      parentSpanId: '',
      facts: {
        'http.response.status_code': 202,
        'http.route': '/api/v1/retries',
        'redrive.surface': 'native',
      },
    });
    await eventually('the steps are told', () => named(collector, 'operation.close').length > 0, {
      withinMs: 20_000,
    });
    const steps = collector.spans.filter(({ name }) => name.startsWith('operation.'));
    for (const step of steps)
      expect(step).toMatchObject({
        links: [{ traceId: call?.traceId, spanId: call?.spanId }],
        facts: { 'redrive.operation.id': id },
      });
    const slices = named(collector, 'slice');
    for (const { parentSpanId } of slices) expect(steps.map(({ spanId }) => spanId)).toContain(parentSpanId);
    for (const { parentSpanId } of attempts())
      expect(slices.map(({ spanId }) => spanId)).toContain(parentSpanId);
    expect(attempts().filter(({ facts }) => facts['redrive.outcome'] === 'delivered')).toHaveLength(
      ITEMS / 2,
    );
    const failed = attempts().filter((attempt) => attempt.failed);
    expect(failed).toHaveLength(ITEMS / 2);
    expect(failed[0]?.facts).toMatchObject({ 'http.response.status_code': 422 });
    // A slice is told when it has ended.
    await eventually('failures are events of their slice as well', () => {
      const events = named(collector, 'slice').flatMap((slice) => slice.events);
      return events.filter(({ name }) => name === 'attempt.failed').length === ITEMS / 2;
    });
    expect(collector.resource).toMatchObject({ 'service.name': 'redrive' });
  });

  test('a first delivery is traced by itself', async () => {
    const it = await newScene([ok]);
    await engine.client.expect(202, 'POST', '/api/v1/events', {
      key: it.tenant.key,
      body: { type: 'traced', payload: { secret: 'of-the-payload' } },
    });
    const alone = () => named(collector, 'attempt').filter(({ parentSpanId }) => parentSpanId === '');
    await eventually('the attempt is told', () => alone().length === 1, { withinMs: 20_000 });
    expect(alone()[0]?.facts).toMatchObject({
      'redrive.endpoint.id': it.endpoints[0].id,
      'redrive.outcome': 'delivered',
      'redrive.attempt': 1,
    });
    expect(named(collector, 'POST /api/v1/events')).toHaveLength(1);
  });

  test('a receiver that asks for it is told of each span of its attempts, and no other', async () => {
    const asking = await newScene([ok], {
      traceparent: true,
      headers: { Traceparent: 'theirs', 'x-key': 'k' },
    });
    const silent = await newScene([ok]);
    for (const it of [asking, silent]) {
      await it.seed(ITEMS);
      const { id } = await it.retries.start(ALL_FAILURES);
      await it.retries.ended(id);
      await engine.client.expect(202, 'POST', '/api/v1/events', {
        key: it.tenant.key,
        body: { type: 'traced', payload: {} },
      });
    }
    const received = async ({ receivers: [receiver] }: Scene) => {
      await receiver?.waitFor(({ requests }) => requests.length === ITEMS + 1);
      return receiver?.requests.map(({ headers }) => headers) ?? [];
    };
    const told = (await received(asking)).map(({ traceparent }) => traceparent).sort();
    const spans = () => spansAt(collector, asking);
    await eventually('its spans are told', () => spans().length === ITEMS + 1, { withinMs: 20_000 });
    expect(told).toEqual(spans());
    expect(new Set((await received(asking)).map((headers) => headers['x-key']))).toEqual(new Set(['k']));
    expect((await received(silent)).filter(({ traceparent }) => traceparent !== undefined)).toEqual([]);
  });

  test('no span has a URL, a header, a payload, a key or a word of a customer', async () => {
    const told = JSON.stringify(collector.spans);
    for (const secret of [
      'http://',
      'https://',
      '127.0.0.1',
      '/hook',
      'of-the-payload',
      'the-words',
      'rdk_',
      'whsec_',
    ])
      expect([secret, told.includes(secret)]).toEqual([secret, false]);
  });
});

test('a request whose attempt has no span says nothing of traces', async () => {
  const collector = await startOtlpCollector();
  const engine = await startTestEngine({ traces: { endpoint: collector.url, ratio: 0.5 } });
  const it = await createScene(engine, [ok], { traceparent: true });
  try {
    const events = Array.from({ length: ITEMS }, () => ({ type: 'traced', payload: {} }));
    for (const body of events)
      await engine.client.expect(202, 'POST', '/api/v1/events', { key: it.tenant.key, body });
    const [receiver] = it.receivers;
    await receiver?.waitFor(({ requests }) => requests.length === ITEMS);
    const told = receiver?.requests.flatMap(({ headers }) => headers.traceparent ?? []).sort() ?? [];
    const spans = () => spansAt(collector, it);
    await eventually('its spans are told', () => spans().length >= told.length, { withinMs: 20_000 });
    expect(told).toEqual(spans());
    expect(told.length).toBeGreaterThan(0);
    expect(told.length).toBeLessThan(ITEMS);
  } finally {
    await it.close();
    await engine.close();
    await collector.close();
  }
});

describe('without one', () => {
  const engine = use(
    () => startTestEngine(),
    (each) => each.close(),
  );
  const newScene = useScenes(engine);

  test('nothing is traced, and nothing is kept for it', async () => {
    const it = await newScene([ok], { traceparent: true });
    await it.seed(ITEMS);
    const { id } = await it.retries.start(ALL_FAILURES);
    expect(await it.retries.ended(id)).toMatchObject({ state: 'completed' });
    expect(it.receivers[0]?.requests.filter(({ headers }) => headers.traceparent !== undefined)).toEqual([]);
    const { rows } = await engine.database.pool.query('select from operation_traces');
    expect(rows).toEqual([]);
  });

  test('no file loads what traces, but where a collector is named', async () => {
    const loading: string[] = [];
    for (const entry of await readdir('src', { recursive: true })) {
      if (!entry.endsWith('.ts') || entry === join('telemetry', 'open-telemetry.ts')) continue;
      const text = await readFile(join('src', entry), 'utf8');
      if (/from '(@opentelemetry\/|[^']*open-telemetry)/.test(text)) loading.push(entry);
    }
    expect(loading).toEqual([]);
  });
});

test('a collector that is away costs no delivery, and does not hold a stop', async () => {
  const engine = await startTestEngine({ traces: { endpoint: 'http://127.0.0.1:1', ratio: 1 } });
  try {
    const tenant = await engine.client.newTenant('away');
    const accepted = await engine.client.expect(202, 'POST', '/api/v1/events', {
      key: tenant.key,
      body: { type: 'a', payload: {} },
    });
    expect(accepted.body.deliveries).toBe(0);
  } finally {
    await engine.close();
  }
});
