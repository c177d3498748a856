import { expect, test } from '@jest/globals';
import { ALL_FAILURES, type Scene } from '../support/engine/recovery-scene.ts';
import { useEngine, useScenes } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { startReceiver } from '../support/receivers/receiver.ts';
import { type Behaviour, ok, status } from '../support/receivers/receiver-behaviour.ts';

/** An endpoint in trouble is protected, and costs neither attempts nor the time of others. */

const engine = useEngine();
const scene = useScenes(engine);

const retrying = { retry: { maxAttempts: 20, initialMs: 50, factor: 1, capMs: 50 } };

async function circuitOf(it: Scene, index = 0): Promise<string> {
  const path = `/api/v1/endpoints/${it.endpoints[index].id}`;
  return (await engine.client.expect(200, 'GET', path, { key: it.tenant.key })).body.circuit;
}

async function nothingOnItsWay(): Promise<void> {
  await eventually('all that was on its way has ended', async () => {
    const { rows } = await engine.database.pool.query('select count(*)::int as claims from claims');
    return rows[0].claims === 0;
  });
}

test('an endpoint that is down costs few attempts however much is due, and gets it all when it is back', async () => {
  const it = await scene([ok, ok], retrying);
  const port = it.receivers[0]?.port ?? 0;
  await it.receivers[0]?.close();
  await it.seed(600);
  const { id } = await it.retries.start(ALL_FAILURES);
  await eventually('its circuit is open', async () => (await circuitOf(it)) === 'open');
  await eventually('the other one has got its share', () => it.receivers[1]?.requests.length === 300);
  const attempted =
    await it.ids(`endpoint_id = (select id from endpoints where handle = '${it.endpoints[0].handle}')
    and attempts > 1`);
  // At most the requests on their way when it opened: nothing of the rest was read, written or tried.
  expect(attempted.length).toBeLessThan(150);
  const back = await startReceiver(ok, { port });
  try {
    expect(await it.retries.ended(id, 40_000)).toMatchObject({
      state: 'completed',
      counts: { delivered: 600 },
    });
    expect(back.requests).toHaveLength(300);
    expect(back.maxOverlap).toBe(1);
    expect(await circuitOf(it)).toBe('closed');
    const circuit = engine.log
      .map((line) => JSON.parse(line))
      .filter(({ event, endpointId }) => endpointId === it.endpoints[0].id && event.startsWith('circuit.'));
    expect(circuit[0]).toMatchObject({ event: 'circuit.opened', openings: 1, forMs: 5_000 });
    expect(circuit.at(-1)).toMatchObject({ event: 'circuit.closed' });
  } finally {
    await back.close();
  }
});

test('an endpoint whose circuit is open is tried by one request alone', async () => {
  const it = await scene([status(503)], retrying);
  await it.seed(200);
  await it.retries.start(ALL_FAILURES);
  await eventually('its circuit is open', async () => (await circuitOf(it)) === 'open');
  await nothingOnItsWay();
  const before = it.sent();
  await engine.database.pool.query(
    `update endpoint_pacing p set floor_until = now() from endpoints e where e.id = p.endpoint_id and e.handle = $1`,
    [it.endpoints[0].handle],
  );
  await it.receivers[0]?.waitFor(({ requests }) => requests.length > before);
  await eventually('it is open again', async () => (await circuitOf(it)) === 'open');
  expect(it.sent()).toBe(before + 1);
});

test('an operator who enables an endpoint closes its circuit', async () => {
  const it = await scene([status(503)], retrying);
  await it.seed(200);
  const { id } = await it.retries.start(ALL_FAILURES);
  await eventually('its circuit is open', async () => (await circuitOf(it)) === 'open');
  await nothingOnItsWay();
  it.receivers[0]?.switchTo(ok);
  await engine.client.expect(200, 'POST', `/api/v1/endpoints/${it.endpoints[0].id}/enable`, {
    key: it.tenant.key,
  });
  expect(await it.retries.ended(id, 4_500)).toMatchObject({ counts: { delivered: 200 } });
});

test('an endpoint that is overloaded is sent less at a time, and more again when it bears it', async () => {
  let atOnce = 0;
  let most = 0;
  let refused = 0;
  // Bears eight at a time; a request beyond them is told so.
  const narrow: Behaviour = {
    answer(response) {
      atOnce += 1;
      most = Math.max(most, atOnce);
      const beyond = atOnce > 8;
      if (beyond) refused += 1;
      setTimeout(
        () => {
          atOnce -= 1;
          response.writeHead(beyond ? 429 : 200).end();
        },
        beyond ? 5 : 30,
      );
    },
  };
  const it = await scene([narrow], retrying);
  await it.seed(800);
  const { id } = await it.retries.start(ALL_FAILURES);
  expect(await it.retries.ended(id, 50_000)).toMatchObject({ counts: { delivered: 800 } });
  expect(most).toBeGreaterThan(8);
  expect(refused).toBeLessThan(400);
  expect(await circuitOf(it)).toBe('closed');
});

test('an endpoint that switches protection off is sent everything at once, whatever it says', async () => {
  const it = await scene([status(503)], { protect: false, retry: { maxAttempts: 1 } });
  await it.seed(200);
  const { id } = await it.retries.start(ALL_FAILURES);
  expect(await it.retries.ended(id)).toMatchObject({ counts: { failed: 200 } });
  expect(await circuitOf(it)).toBe('closed');
});
