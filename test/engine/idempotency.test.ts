import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { silentReport } from '../../src/embedded/steps.ts';
import { type EmbeddedTemporal, startEmbeddedTemporal } from '../../src/embedded/temporal/temporal.ts';
import { type Service, startService } from '../../src/service.ts';
import { retriesOf, uuidIn } from '../support/api/retries.ts';
import { createTestClient } from '../support/api/test-client.ts';
import { ALL_FAILURES, createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { connectTestTemporal } from '../support/engine/temporal-client.ts';
import { startTestEngine } from '../support/engine/test-engine.ts';
import { useEngine, useTemporal } from '../support/engine/use-engine.ts';
import { ok } from '../support/receivers/receiver-behaviour.ts';

const temporal = useTemporal();
const engine = useEngine();
let it: Scene;

beforeAll(async () => {
  it = await createScene(engine, [ok, ok]);
});
afterAll(async () => {
  await it.close();
});

async function expireKeys(): Promise<void> {
  await engine.database.pool.query(
    `update idempotency_keys set expires_at = now() - interval '1 second' where tenant_id = $1`,
    [uuidIn('tenant', it.tenant.id)],
  );
}

async function operations(): Promise<number> {
  const { rows } = await engine.database.pool.query(
    'select count(*)::int as n from operations where tenant_id = $1',
    [uuidIn('tenant', it.tenant.id)],
  );
  return rows[0].n;
}

describe('a retry that is posted again under its key', () => {
  test.each<[string, () => Promise<Record<string, unknown>>]>([
    ['by filter', async () => ({ ...ALL_FAILURES })],
    ['by ids', async () => ({ select: { deliveryIds: await it.ids(`state = 'failed'`) } })],
  ])(
    'fifty times at once, %s, is one operation, one workflow and fifty equal answers',
    async (_, request) => {
      await it.seed(60);
      const [before, sent] = [await operations(), it.sent()];
      const key = randomUUID();
      const body = await request();
      const answers = await Promise.all(Array.from({ length: 50 }, () => it.retries.post(body, key)));
      expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(202));
      expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
      expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === 'true')).toHaveLength(
        49,
      );
      const [{ body: accepted } = { body: undefined }] = answers;
      expect(await it.retries.ended(accepted.id)).toMatchObject({ counts: { expected: 60, delivered: 60 } });
      expect(await operations()).toBe(before + 1);
      expect(await temporal.runsOf(accepted.workflowId)).toBe(1);
      expect(it.sent()).toBe(sent + 60);
      // Later, too, it gets the answer of the moment when it was accepted.
      const later = await it.retries.post(body, key);
      expect([later.status, later.text]).toEqual([202, answers[0]?.text]);
    },
  );

  test('with another body is refused, and nothing is done', async () => {
    const key = randomUUID();
    const first = await it.retries.post(ALL_FAILURES, key);
    await it.retries.ended(first.body.id);
    const before = await operations();
    const other = await it.retries.post({ ...ALL_FAILURES, reason: 'another' }, key);
    expect(other).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
    expect(await operations()).toBe(before);
    // The order of members and the spelling of the key are no difference.
    const again = await it.retries.post({ select: { filter: {} } }, `"${key}"`);
    expect(again.text).toBe(first.text);
  });

  test('by another tenant is another request', async () => {
    const key = randomUUID();
    const mine = await it.retries.post(ALL_FAILURES, key);
    const other = await engine.client.newTenant('other');
    const theirs = await retriesOf(engine.client, other.key).post({ ...ALL_FAILURES, reason: 'x' }, key);
    expect(theirs.status).toBe(202);
    expect(theirs.body.id).not.toBe(mine.body.id);
    expect(theirs.body.workflowId).not.toBe(mine.body.workflowId);
  });

  test('gets the same answer from a service that was started since', async () => {
    await it.seed(5);
    const key = randomUUID();
    const first = await it.retries.post(ALL_FAILURES, key);
    await it.retries.ended(first.body.id);
    const later = await startService({ ...engine.options, roles: { api: true, worker: false } });
    try {
      const client = await createTestClient(later.url ?? '', engine.adminKey);
      const again = await retriesOf(client, it.tenant.key).post(ALL_FAILURES, key);
      expect([again.status, again.text]).toEqual([202, first.text]);
      expect(again.headers.get('idempotency-replayed')).toBe('true');
    } finally {
      await later.stop();
    }
  });
});

describe('a key that has expired', () => {
  test('starts a new operation with a run of its own, which really runs', async () => {
    await it.seed(10);
    const key = randomUUID();
    const first = await it.retries.post(ALL_FAILURES, key);
    expect(Date.parse(first.body.idempotencyExpiresAt) - Date.parse(first.body.createdAt)).toBe(
      24 * 3_600_000,
    );
    expect(first.body.workflowId).toMatch(/^retry\/[a-z0-9-]+\/[0-9a-f]{32}\.[0-9a-f-]{36}$/);
    await it.retries.ended(first.body.id);
    await expireKeys();
    await it.seed(10);
    const second = await it.retries.post({ ...ALL_FAILURES, reason: 'another body is fine now' }, key);
    expect(second.status).toBe(202);
    expect(second.headers.get('idempotency-replayed')).toBeNull();
    expect(second.body.id).not.toBe(first.body.id);
    expect(second.body.workflowId).not.toBe(first.body.workflowId);
    expect(await it.retries.ended(second.body.id)).toMatchObject({ counts: { expected: 10, delivered: 10 } });
    expect(await temporal.runsOf(second.body.workflowId)).toBe(1);
    const repeat = await it.retries.post({ ...ALL_FAILURES, reason: 'another body is fine now' }, key);
    expect(repeat.text).toBe(second.text);
  });

  test('starts one operation, however many use it at once', async () => {
    const key = randomUUID();
    const first = await it.retries.post(ALL_FAILURES, key);
    await it.retries.ended(first.body.id);
    await expireKeys();
    const before = await operations();
    const answers = await Promise.all(Array.from({ length: 20 }, () => it.retries.post(ALL_FAILURES, key)));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(await operations()).toBe(before + 1);
    await it.retries.ended(answers[0]?.body.id);
  });
});

describe('when Temporal has lost everything, as it does by and by after its retention', () => {
  test('a repeat gets the same answer and starts nothing, and what was open is started again', async () => {
    const own = await startTestEngine();
    const scene = await createScene(own, [ok]);
    const dataDir = await mkdtemp(join(tmpdir(), 'redrive-temporal-'));
    let other: EmbeddedTemporal | undefined;
    let later: Service | undefined;
    try {
      await scene.seed(20);
      const key = randomUUID();
      const done = await scene.retries.post(
        { select: { deliveryIds: (await scene.ids()).slice(0, 5) } },
        key,
      );
      await scene.retries.ended(done.body.id);
      const open = await scene.retries.start({ ...ALL_FAILURES, options: { ratePerSecond: 0.01 } });
      await scene.retries.reaches(open.id, ['running']);
      await own.service.stop();

      other = await startEmbeddedTemporal({ dataDir, report: silentReport });
      later = await startService({ ...own.options, temporal: { address: other.address } });
      const retries = retriesOf(await createTestClient(later.url ?? '', own.adminKey), scene.tenant.key);
      const again = await retries.post({ select: { deliveryIds: (await scene.ids()).slice(0, 5) } }, key);
      expect([again.status, again.text]).toEqual([202, done.text]);
      await retries.control(open.id, 'rate', { ratePerSecond: null });
      expect(await retries.ended(open.id)).toMatchObject({ state: 'completed', counts: { delivered: 15 } });
      const { client, close } = await connectTestTemporal(other.address);
      const describe = (workflowId: string) => client.workflow.getHandle(workflowId).describe();
      await expect(describe(done.body.workflowId)).rejects.toThrow(/not found/);
      expect((await describe(open.workflowId)).type).toBe('operation');
      await close();
      expect(scene.sent()).toBe(20);
    } finally {
      await later?.stop();
      await other?.stop({ hurry: true });
      await rm(dataDir, { recursive: true, force: true });
      await scene.close();
      await own.close();
    }
  });
});
