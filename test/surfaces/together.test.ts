import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Id, showId } from '../../src/domain/tenancy/typed-id.ts';
import { uuidIn } from '../support/api/retries.ts';
import { createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { useEngine } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { held, moody, ok } from '../support/receivers/receiver-behaviour.ts';
import { everySurface, type SurfaceAnswer, type SurfaceCall } from '../support/surfaces/every-surface.ts';
import { closedAfterEach } from '../support/use.ts';

/** All surfaces over one engine: a delivery has one owner and is sent once, however many retry it at once. */

const engine = useEngine();
const own = closedAfterEach();

/** A bulk retry of all that has not ended well. */
const EVERYTHING = { select: { filter: { state: ['failed', 'pending'] } } };

/** A tenant whose failed deliveries every surface can retry. */
async function furnish(behaviour = ok, endpoint: Record<string, unknown> = {}) {
  const it = own(await createScene(engine, [behaviour], endpoint));
  return { it, callers: await everySurface(engine, it) };
}

/** The answer of each to the first caller, and to one who finds it taken already: its own ordinary success. */
const EXPECTED: Record<SurfaceCall, (answer: SurfaceAnswer, ids: { delivery: Id<'delivery'> }) => void> = {
  native: ({ status, text }) => {
    expect(status).toBe(202);
    expect(JSON.parse(text).items).toHaveLength(1);
  },
  'zen-mesh single': ({ status, text }, { delivery }) => {
    expect(status).toBe(202);
    expect(JSON.parse(text)).toEqual({
      status: 'queued',
      delivery_id: showId('delivery', delivery),
      message: 'Retry initiated',
    });
  },
  'zen-mesh batch': ({ status, text }, { delivery }) => {
    expect(status).toBe(202);
    expect(JSON.parse(text)).toEqual({
      queued: 1,
      deliveries: [{ delivery_id: delivery, status: 'queued' }],
    });
  },
  minka: ({ status, text }) => expect([status, text]).toEqual([200, '""']),
  'jack-henry subscription': ({ status, text }) => {
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual({ status: 'success', retryId: expect.any(String) });
  },
  'jack-henry raw': ({ status, text }) => {
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual({ status: 'success', retryId: expect.any(String) });
  },
  stedi: ({ status, text }) => expect([status, text]).toEqual([200, '']),
  // A caller who finds it under way is told to wait, as its document demands.
  flowrelay: ({ status, text }) => {
    if (status === 202) return;
    expect([status, JSON.parse(text).code]).toEqual([409, 'unsafe_state']);
  },
};

async function eventOf(deliveryId: string): Promise<string> {
  const { rows } = await engine.database.pool.query('select event_id from deliveries where id = $1', [
    deliveryId,
  ]);
  return rows[0].event_id;
}

/** No two requests at once, every operation closed, and each with counts that add up and that its ledger confirms. */
async function expectTrueLedger({ it }: { it: Scene }): Promise<void> {
  const tenantId = uuidIn('tenant', it.tenant.id);
  const { pool } = engine.database;
  await eventually(
    'all operations have ended',
    async () => {
      const { rows } = await pool.query(
        'select count(*)::int as open from operations where tenant_id = $1 and closed_at is null',
        [tenantId],
      );
      return rows[0].open === 0;
    },
    { withinMs: 30_000 },
  );
  const { rows } = await pool.query(
    `select o.id from operations o join operation_counts c on c.operation_id = o.id
     where o.tenant_id = $1 and c.expected <> (select count(*) from executions e where e.operation_id = o.id)
       + (select count(*) from exclusions x where x.operation_id = o.id)`,
    [tenantId],
  );
  expect(rows).toEqual([]);
  expect(it.receivers.map(({ maxOverlap }) => maxOverlap)).toEqual([1]);
}

test('all of them at one moment are one owner and one send, and each answers as its own document demands', async () => {
  // Sent, and not delivered before all have asked.
  const receiver = held();
  const scene = await furnish(receiver, { timeoutMs: 60_000 });
  await scene.it.seed(1);
  const [delivery] = (await scene.it.ids()) as [Id<'delivery'>];
  const event = await eventOf(delivery);
  const names = Object.keys(scene.callers) as SurfaceCall[];
  const answers = await Promise.all(
    [...names, ...names].map(async (name) => [name, await scene.callers[name](delivery, event)] as const),
  );
  receiver.release(ok);
  for (const [name, answer] of answers) EXPECTED[name](answer, { delivery });
  await expectTrueLedger(scene);
  expect(scene.it.sent()).toBe(1);
  expect(await scene.it.ids(`state = 'delivered'`)).toEqual([delivery]);
});

test('any of them, bulk and automatic retries in any order over the same deliveries send nothing side by side, and lose nothing', async () => {
  // Each third request fails, so that automatic retries are in everybody's way.
  const scene = await furnish(moody(1 / 3, 30), {
    retry: { maxAttempts: 20, initialMs: 20, factor: 1, capMs: 20 },
  });
  await scene.it.seed(12);
  const deliveries = await scene.it.ids();
  const events = await Promise.all(deliveries.map(eventOf));
  const calls = fc.sample(
    fc.tuple(
      fc.constantFrom('bulk' as const, ...(Object.keys(scene.callers) as SurfaceCall[])),
      fc.nat(deliveries.length - 1),
    ),
    { numRuns: 140, seed: 4_400 },
  );
  const answers = await Promise.all(
    calls.map(async ([name, at]) => {
      if (name === 'bulk') {
        await scene.it.retries.start(EVERYTHING);
        return [name, 202] as const;
      }
      const answer = await scene.callers[name](deliveries[at] ?? '', events[at] ?? '');
      return [name, answer.status] as const;
    }),
  );
  for (const [name, status] of answers) expect([name, status < 500]).toEqual([name, true]);
  await expectTrueLedger(scene);
  expect(scene.it.sent()).toBeGreaterThan(deliveries.length);
  expect(new Set(await scene.it.ids(`state = 'delivered'`))).toEqual(new Set(deliveries));
});
