import { describe, expect, test } from '@jest/globals';
import { uuidIn } from '../../support/api/retries.ts';
import { createScene, type Scene } from '../../support/engine/recovery-scene.ts';
import { useEngine } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import {
  type Behaviour,
  closeSilently,
  held,
  ok,
  slow,
  status,
} from '../../support/receivers/receiver-behaviour.ts';
import {
  ask,
  newTestSigner,
  printedText,
  proofOf,
  type RawAnswer,
  signed,
  signedWithoutMoment,
  type TestSigner,
  tokenOf,
} from '../../support/surfaces/minka-client.ts';
import { closedAfterEach } from '../../support/use.ts';

const engine = useEngine();
const own = closedAfterEach();

/** A tenant whose endpoints are bridges, and its signer, who may do everything there. */
interface Bridges extends Scene {
  signer: TestSigner;
  tenantId: string;
  /** Sends a retry for the first bridge, or another one. */
  retry(data: unknown, change?: { body?: unknown; bridge?: string }): Promise<RawAnswer>;
  /** Sends it, expects the answer of the document, and waits until the operation has ended. */
  // biome-ignore lint/suspicious/noExplicitAny: operations as they are shown
  retried(data: unknown, change?: { body?: unknown; bridge?: string }): Promise<any>;
  operations(): Promise<string[]>;
  // biome-ignore lint/suspicious/noExplicitAny: rows of the ledger
  executions(deliveryId: string): Promise<any[]>;
  dispatch(payload?: unknown): Promise<string>;
  age(deliveryId: string, minutes: number): Promise<void>;
}

async function bridges(behaviours: Behaviour[], endpoint: Record<string, unknown> = {}): Promise<Bridges> {
  const scene = own(await createScene(engine, behaviours, endpoint));
  const { pool } = engine.database;
  const signer = newTestSigner();
  const tenantId = scene.tenant.id;
  const uuid = uuidIn('tenant', tenantId);
  await engine.client.expect(201, 'POST', '/api/v1/signers', {
    body: { tenantId, handle: signer.handle, public: signer.public },
  });
  await engine.client.expect(201, 'POST', '/api/v1/access-rules', {
    body: { tenantId, action: 'retry-event', record: 'bridge', signer: signer.handle },
  });
  const retry: Bridges['retry'] = (data, { body, bridge = scene.endpoints[0].handle } = {}) =>
    ask(engine.service.url ?? '', 'POST', `/v2/bridges/${bridge}/events/retry`, {
      headers: { 'x-ledger': scene.tenant.handle },
      body: body ?? signed(signer, data),
    });
  // Not the plan that is proposed where a bridge is back.
  const operations = async () => {
    const { rows } = await pool.query(
      `select id from operations where tenant_id = $1 and surface = 'minka' order by id`,
      [uuid],
    );
    return rows.map(({ id }) => id);
  };
  return Object.assign(scene, {
    signer,
    tenantId: uuid,
    retry,
    operations,
    async retried(data: unknown, change?: { body?: unknown; bridge?: string }) {
      expectDone(await retry(data, change));
      return scene.retries.ended((await operations()).at(-1) ?? '');
    },
    async executions(deliveryId: string) {
      const { rows } = await pool.query('select * from executions where delivery_id = $1 order by id', [
        deliveryId,
      ]);
      return rows;
    },
    async dispatch(payload: unknown = 1) {
      const { body } = await engine.client.expect(202, 'POST', '/api/v1/events', {
        key: scene.tenant.key,
        body: { type: 'intent.created', payload },
      });
      const { rows } = await pool.query('select id from deliveries where event_id = $1 order by id', [
        uuidIn('event', body.eventId),
      ]);
      return rows[0].id;
    },
    async age(deliveryId: string, minutes: number) {
      await pool.query(
        `update deliveries set last_attempt_at = now() - $2::float8 * interval '1 minute' where id = $1`,
        [deliveryId, minutes],
      );
    },
  });
}

/** Success is 200, text/plain, and exactly the two characters of the document, unsigned. */
function expectDone({ status: code, headers, text }: RawAnswer): void {
  expect({ code, type: headers.get('content-type'), text }).toEqual({
    code: 200,
    type: 'text/plain',
    text: '""',
  });
  expect(headers.get('content-length')).toBe('2');
}

async function reaches(it: Bridges, deliveryId: string, state: string): Promise<void> {
  await eventually(`its newest execution is ${state}`, async () => {
    const executions = await it.executions(deliveryId);
    return executions.at(-1)?.state === state;
  });
}

describe('POST /bridges/{id}/events/retry', () => {
  test('the printed request, as it is printed, gets the printed answer', async () => {
    const it = await bridges([ok]);
    await it.seed(2);
    for (const id of await it.ids()) await it.age(id, 59);
    await engine.client.expect(201, 'POST', '/api/v1/signers', {
      body: {
        tenantId: it.tenant.id,
        handle: 'printed',
        public: 'dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=',
      },
    });
    await engine.client.expect(201, 'POST', '/api/v1/access-rules', {
      body: { tenantId: it.tenant.id, action: 'retry-event', signer: 'printed' },
    });
    const operation = await it.retried({}, { body: await printedText('request') });
    expect(operation).toMatchObject({
      kind: 'retry',
      surface: 'minka',
      state: 'completed',
      counts: { expected: 2, delivered: 2 },
    });
    expect(it.sent()).toBe(2);
  });

  test('Retries bridge event deliveries that have failed', async () => {
    const it = await bridges([ok]);
    await it.seed(3);
    expect(await it.retried({ maxAge: 0 })).toMatchObject({ counts: { expected: 3, delivered: 3 } });
    expect(it.receivers[0]?.requests.map(({ id: sent }) => uuidIn('delivery', sent ?? '')).sort()).toEqual(
      (await it.ids()).sort(),
    );
  });

  test('or are still scheduled but not delivered: existing scheduled jobs are cancelled and a new delivery is queued', async () => {
    const it = await bridges([status(500)], {
      retry: { maxAttempts: 5, initialMs: 600_000, capMs: 600_000 },
    });
    const id = await it.dispatch();
    await reaches(it, id, 'scheduled');
    it.receivers[0]?.switchTo(ok);
    expect(await it.retried({})).toMatchObject({ counts: { expected: 1, delivered: 1 } });
    const [first, second, ...more] = await it.executions(id);
    expect(more).toEqual([]);
    expect(first).toMatchObject({ state: 'superseded', attempts: 1 });
    expect(second).toMatchObject({ state: 'delivered', attempts: 1, parent_id: first.id });
    expect(it.sent()).toBe(2);
    expect(it.receivers[0]?.requests[0]?.id).toBe(it.receivers[0]?.requests[1]?.id);
  });

  test('with the retry backoff reset to its initial value', async () => {
    const it = await bridges([status(500)], {
      preset: 'minka',
      retry: { maxAttempts: 5, initialMs: 600_000, factor: 100 },
    });
    const id = await it.dispatch();
    await reaches(it, id, 'scheduled');
    // As if it had been tried again and again: the next wait would be an hour.
    await engine.database.pool.query(
      `update executions set due_at = now() + interval '40 minutes' where delivery_id = $1`,
      [id],
    );
    expectDone(await it.retry({}));
    await it.receivers[0]?.waitFor(({ requests }) => requests.length === 2);
    await reaches(it, id, 'scheduled');
    const [, second] = await it.executions(id);
    expect(second.attempts).toBe(1);
    const waitMs = second.due_at.getTime() - Date.now();
    expect(waitMs).toBeGreaterThan(400_000);
    expect(waitMs).toBeLessThan(700_000);
  });

  test('the preset minka: initial 1 s, ×1.2 each, cap 1 h, maximum 5 attempts', async () => {
    const it = await bridges([ok]);
    const endpoint = await engine.client.newEndpoint(it.tenant.key, {
      handle: 'preset-bridge',
      url: it.receivers[0]?.url('/preset'),
      preset: 'minka',
    });
    expect(endpoint.retry).toEqual({ maxAttempts: 5, initialMs: 1_000, factor: 1.2, capMs: 3_600_000 });
  });

  test('a delivery that is being sent is left to itself, and one that is delivered is not sent again', async () => {
    const receiver = held();
    const it = await bridges([receiver], { timeoutMs: 60_000 });
    const sending = await it.dispatch();
    await it.receivers[0]?.waitFor(({ requests }) => requests.length === 1);
    expectDone(await it.retry({ maxAge: 0 }));
    const [joined = ''] = await it.operations();
    await eventually('it has selected', async () => (await it.retries.show(joined)).counts.expected === 1);
    receiver.release(ok);
    expect(await it.retries.ended(joined)).toMatchObject({ counts: { expected: 1, excluded: 1 } });
    await reaches(it, sending, 'delivered');
    for (const data of [{ maxAge: 0 }, { handle: sending }]) {
      const { counts } = await it.retried(data);
      expect(counts.queued + counts.sending + counts.scheduled + counts.delivered).toBe(0);
    }
    expect(it.sent()).toBe(1);
    expect(it.receivers[0]?.maxOverlap).toBe(1);
  });

  test('a delivery whose outcome nobody knows is not sent', async () => {
    const it = await bridges([closeSilently], { onAmbiguous: 'hold' });
    const id = await it.dispatch();
    await reaches(it, id, 'unknown');
    for (const data of [{ maxAge: 0 }, { handle: id }])
      expect(await it.retried(data)).toMatchObject({
        state: 'completed',
        counts: { delivered: 0, queued: 0 },
      });
    expect(await it.executions(id)).toHaveLength(1);
    expect(it.sent()).toBe(1);
  });

  test('a delivery that a bridge missed while it was disabled is sent once it is enabled, and not before', async () => {
    const it = await bridges([ok]);
    await engine.client.expect(200, 'POST', `/api/v1/endpoints/${it.endpoints[0].id}/disable`, {
      key: it.tenant.key,
    });
    const id = await it.dispatch();
    for (const data of [{ maxAge: 0 }, { handle: id }])
      expect(await it.retried(data)).toMatchObject({ counts: { expected: 0 } });
    await it.dispatch();
    await engine.client.expect(200, 'POST', `/api/v1/endpoints/${it.endpoints[0].id}/enable`, {
      key: it.tenant.key,
    });
    expect(await it.retried({ handle: id })).toMatchObject({ counts: { expected: 1, delivered: 1 } });
    expect(await it.retried({ maxAge: 0 })).toMatchObject({ counts: { expected: 1, delivered: 1 } });
    expect(it.sent()).toBe(2);
  });

  test('a delivery that was cancelled, or ignored for another reason, is neither failed nor scheduled', async () => {
    const it = await bridges([ok]);
    await engine.client.expect(200, 'POST', `/api/v1/endpoints/${it.endpoints[0].id}/disable`, {
      key: it.tenant.key,
    });
    const id = await it.dispatch();
    await engine.client.expect(200, 'POST', `/api/v1/endpoints/${it.endpoints[0].id}/enable`, {
      key: it.tenant.key,
    });
    await engine.database.pool.query(
      `update executions set reason = 'suppressed_duplicate' where delivery_id = $1`,
      [id],
    );
    for (const data of [{ maxAge: 0 }, { handle: id }])
      expect(await it.retried(data)).toMatchObject({ counts: { expected: 0 } });
    expect(it.sent()).toBe(0);
  });

  test('only this bridge, and only this ledger', async () => {
    const [it, theirs] = [await bridges([ok, ok]), await bridges([ok])];
    await it.seed(2, [0]);
    await it.seed(3, [1]);
    await theirs.seed(4);
    expect(await it.retried({ maxAge: 0 })).toMatchObject({ counts: { expected: 2, delivered: 2 } });
    expect(it.receivers[1]?.requests).toHaveLength(0);
    expect(theirs.sent()).toBe(0);
    const luid = it.endpoints[1].luid.replace('$', '%24');
    expect(await it.retried({ maxAge: 0 }, { bridge: luid })).toMatchObject({ counts: { delivered: 3 } });
  });
});

describe('Use the maxAge parameter to limit retries to events whose last delivery attempt was created within the past N minutes', () => {
  /** Deliveries with the newest attempt so many minutes ago. */
  async function aged(minutes: number[]): Promise<{ it: Bridges; sentAges(): Promise<number[]> }> {
    const it = await bridges([ok]);
    await it.seed(minutes.length);
    const ids = await it.ids();
    for (const [n, id] of ids.entries()) await it.age(id, minutes[n] ?? 0);
    return {
      it,
      sentAges: async () => {
        const sent = it.receivers[0]?.requests.map(({ id }) => uuidIn('delivery', id ?? '')) ?? [];
        return sent.map((id) => minutes[ids.indexOf(id)] ?? -1).sort((a, b) => a - b);
      },
    };
  }

  test('(default: 60', async () => {
    const { it, sentAges } = await aged([1, 59, 61, 3_000]);
    await it.retried({});
    expect(await sentAges()).toEqual([1, 59]);
  });

  test.each([
    [5, [1]],
    [90, [1, 59, 61]],
    [1, []],
  ])('N = %d', async (maxAge, expected) => {
    const { it, sentAges } = await aged(
      [1.5, 59, 61, 3_000].map((age) => (maxAge === 1 ? age : Math.floor(age))),
    );
    await it.retried({ maxAge });
    expect(await sentAges()).toEqual(expected);
  });

  test.each([2_880, 2_881, 1_000_000, 1e300])(
    'max: 48 hours enforced server-side): %d is at most 2,880',
    async (maxAge) => {
      const { it, sentAges } = await aged([2_879, 2_881, 10_000]);
      await it.retried({ maxAge });
      expect(await sentAges()).toEqual([2_879]);
    },
  );

  test('Set maxAge to 0 to retry all events for the bridge regardless of age', async () => {
    const { it, sentAges } = await aged([1, 2_881, 100_000]);
    await it.retried({ maxAge: 0 });
    expect(await sentAges()).toEqual([1, 2_881, 100_000]);
  });

  test('counted from the newest attempt, not from the event; where there is none, from the newest execution', async () => {
    const it = await bridges([status(500)], {
      retry: { maxAttempts: 5, initialMs: 600_000, capMs: 600_000 },
    });
    await it.seed(1);
    const [old = ''] = await it.ids();
    await engine.database.pool.query(
      `update deliveries set accepted_at = now() - interval '3 days' where id = $1`,
      [old],
    );
    await it.age(old, 1);
    const { pool } = engine.database;
    const neverTried = async (minutes: number) => {
      await it.seed(1);
      const [id = ''] = (await it.ids()).slice(-1);
      await pool.query(
        'delete from attempts where execution_id in (select id from executions where delivery_id = $1)',
        [id],
      );
      await pool.query(
        `update executions set attempts = 0, reason = 'gave_up', created_at = now() - $2::float8 * interval '1 minute'
         where delivery_id = $1`,
        [id, minutes],
      );
      await pool.query(
        `update deliveries set attempts = 0, last_attempt_at = null, fault_code = null, http_status = null where id = $1`,
        [id],
      );
      return id;
    };
    const young = await neverTried(9);
    await neverTried(11);
    expectDone(await it.retry({ maxAge: 10 }));
    await it.receivers[0]?.waitFor(({ requests }) => requests.length === 2);
    const [operation = ''] = await it.operations();
    await eventually('it has selected', async () => (await it.retries.show(operation)).counts.expected === 2);
    expect(it.receivers[0]?.requests.map(({ id }) => uuidIn('delivery', id ?? '')).sort()).toEqual(
      [old, young].sort(),
    );
  });
});

describe('one event by data.handle', () => {
  test('only it is retried, whatever its age; maxAge is ignored beside it', async () => {
    const it = await bridges([ok]);
    await it.seed(3);
    const [id = ''] = await it.ids();
    await it.age(id, 5_000);
    expect(await it.retried({ handle: id, maxAge: 1 })).toMatchObject({
      counts: { expected: 1, delivered: 1 },
    });
    expect(it.receivers[0]?.requests.map(({ id: sent }) => uuidIn('delivery', sent ?? ''))).toEqual([id]);
  });

  test('a scheduled one is taken over and sent at once', async () => {
    const it = await bridges([status(500)], {
      retry: { maxAttempts: 5, initialMs: 600_000, capMs: 600_000 },
    });
    const id = await it.dispatch();
    await reaches(it, id, 'scheduled');
    it.receivers[0]?.switchTo(ok);
    expect(await it.retried({ handle: id })).toMatchObject({ counts: { delivered: 1 } });
    expect((await it.executions(id)).map(({ state }) => state)).toEqual(['superseded', 'delivered']);
  });

  test('can be spelled as the native API shows it', async () => {
    const it = await bridges([ok]);
    const shown = await it.dispatch().then(async (id) => {
      await reaches(it, id, 'delivered');
      return it.receivers[0]?.requests[0]?.id;
    });
    expectDone(await it.retry({ handle: shown }));
  });

  test('that is unknown, of another bridge or of another ledger is record.not-found "Event not found", and nothing is done', async () => {
    const [it, theirs] = [await bridges([ok, ok]), await bridges([ok])];
    await it.seed(1, [1]);
    await theirs.seed(1);
    for (const handle of [
      '0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9f',
      'no-uuid',
      (await it.ids())[0],
      (await theirs.ids())[0],
    ]) {
      const answer = await it.retry({ handle });
      expect(answer.status).toBe(404);
      expect(answer.body.data).toEqual({ reason: 'record.not-found', detail: 'Event not found' });
    }
    expect(await it.operations()).toEqual([]);
    expect(it.sent() + theirs.sent()).toBe(0);
  });
});

describe('the same signed request', () => {
  test('with a moment twice is one operation, now and after it has ended', async () => {
    const it = await bridges([status(500)]);
    await it.seed(2);
    const body = signed(it.signer, { maxAge: 0 });
    const operation = await it.retried({}, { body });
    expect(operation).toMatchObject({ counts: { failed: 2 } });
    expectDone(await it.retry({}, { body }));
    expectDone(await it.retry({}, { body: JSON.stringify(body, null, 2) }));
    // Only the signed part counts: the name of the signer is not in it.
    const named = { ...body, meta: { proofs: [{ ...body.meta.proofs[0], signer: it.signer.handle }] } };
    expectDone(await it.retry({}, { body: named }));
    expect(await it.operations()).toHaveLength(1);
    expect(it.sent()).toBe(2);
  });

  test('many times at once is one operation and one send', async () => {
    const it = await bridges([slow(100)]);
    await it.seed(1);
    const body = signed(it.signer, { maxAge: 0 });
    for (const answer of await Promise.all(Array.from({ length: 12 }, () => it.retry({}, { body }))))
      expectDone(answer);
    const [operation = '', ...more] = await it.operations();
    expect(more).toEqual([]);
    expect(await it.retries.ended(operation)).toMatchObject({ counts: { expected: 1, delivered: 1 } });
    expect(it.sent()).toBe(1);
  });

  test('without a moment is one operation while that is open, and a legitimate further retry afterwards', async () => {
    const receiver = held();
    const it = await bridges([receiver], { timeoutMs: 60_000 });
    await it.seed(1);
    const body = signedWithoutMoment(it.signer, { maxAge: 0 });
    expectDone(await it.retry({}, { body }));
    await it.receivers[0]?.waitFor(({ requests }) => requests.length === 1);
    expectDone(await it.retry({}, { body }));
    const [operation = '', ...more] = await it.operations();
    expect(more).toEqual([]);
    receiver.release(status(500));
    await it.retries.ended(operation);
    expect(it.sent()).toBe(1);
    it.receivers[0]?.switchTo(ok);
    expect(await it.retried({}, { body })).toMatchObject({ counts: { delivered: 1 } });
    expect(await it.operations()).toHaveLength(2);
  });

  test('is another one for another bridge, another ledger and another key', async () => {
    const [it, theirs] = [await bridges([ok, ok]), await bridges([ok])];
    const body = signed(it.signer, { maxAge: 0 });
    await it.retried({}, { body });
    await it.retried({}, { body, bridge: it.endpoints[1].handle });
    expect(await it.operations()).toHaveLength(2);
    // By luid it is the same bridge.
    expectDone(await it.retry({}, { body, bridge: it.endpoints[0].luid }));
    const other = newTestSigner('other');
    for (const { tenant, key } of [
      { tenant: it.tenant.id, key: other },
      { tenant: theirs.tenant.id, key: it.signer },
    ]) {
      const handle = `also-${key.handle}`;
      await engine.client.expect(201, 'POST', '/api/v1/signers', {
        body: { tenantId: tenant, handle, public: key.public },
      });
      await engine.client.expect(201, 'POST', '/api/v1/access-rules', {
        body: { tenantId: tenant, action: 'any', signer: handle },
      });
    }
    await theirs.retried({}, { body });
    const [proof] = body.meta.proofs;
    await it.retried({}, { body: { ...body, meta: { proofs: [proofOf(other, body.hash, proof?.custom)] } } });
    expect(await it.operations()).toHaveLength(3);
    expect(await theirs.operations()).toHaveLength(1);
  });

  test('its moment is never compared with the clock', async () => {
    const it = await bridges([ok]);
    for (const moment of ['1999-01-01T00:00:00.000Z', '2999-01-01T00:00:00.000Z', 'yesterday'])
      expectDone(
        await it.retry(
          {},
          { body: signed(it.signer, { maxAge: 0 }, { moment, luid: 'x', more: [1, null] }) },
        ),
      );
    expect(await it.operations()).toHaveLength(3);
  });

  test('two different ones over the same deliveries never send side by side', async () => {
    const it = await bridges([slow(200)]);
    await it.seed(20);
    const answers = await Promise.all(Array.from({ length: 4 }, () => it.retry({ maxAge: 0 })));
    for (const answer of answers) expectDone(answer);
    for (const operation of await it.operations()) await it.retries.ended(operation);
    expect(it.receivers[0]?.maxOverlap).toBe(1);
    expect(await it.ids(`state = 'delivered'`)).toHaveLength(20);
  });
});

describe('a retry that finds nothing to do', () => {
  test('answers the ordinary success', async () => {
    const it = await bridges([ok]);
    expect(await it.retried({})).toMatchObject({ state: 'completed', counts: { expected: 0 } });
  });

  test('as one by a token beside its proof does', async () => {
    const it = await bridges([ok]);
    const token = tokenOf(it.signer, { aud: it.tenant.handle });
    const answer = await ask(
      engine.service.url ?? '',
      'POST',
      `/v2/bridges/${it.endpoints[0].handle}/events/retry`,
      { body: signed(it.signer, {}), headers: { authorization: `Bearer ${token}` } },
    );
    expectDone(answer);
  });
});

describe('who asked', () => {
  test('is kept with the operation', async () => {
    const it = await bridges([ok]);
    await it.retried({});
    const { rows } = await engine.database.pool.query(
      'select actor, requested_by, surface from operations where tenant_id = $1',
      [it.tenantId],
    );
    expect(rows).toEqual([{ actor: 'signer:mint', requested_by: null, surface: 'minka' }]);
  });
});
