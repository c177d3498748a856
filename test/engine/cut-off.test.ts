import { afterEach, expect, test } from '@jest/globals';
import { uuidIn } from '../support/api/retries.ts';
import type { ChildScript } from '../support/child-script.ts';
import { ALL_FAILURES, createScene } from '../support/engine/recovery-scene.ts';
import { startTestEngine } from '../support/engine/test-engine.ts';
import { startWorkerProcess } from '../support/engine/worker-process.ts';
import { eventually } from '../support/eventually.ts';
import { slow } from '../support/receivers/receiver-behaviour.ts';

/** Workers that stand still: one that comes back after its lease has ended sends nothing more, and changes nothing. */

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test.each([1, 2, 3])(
  'a worker that is stopped for longer than every lease, and then goes on, doubles nothing unknowingly (%i)',
  async () => {
    const ITEMS = 2_000;
    const engine = await startTestEngine({
      roles: { api: true, worker: false },
      sizes: { lease: { startWithinMs: 800, marginMs: 400 } },
    });
    closing.push(() => engine.close());
    const frozen = await startWorkerProcess(engine);
    closing.push(() => ended(frozen));
    const it = await createScene(engine, Array(4).fill(slow(50)), {
      timeoutMs: 600,
      retry: { maxAttempts: 9, initialMs: 10, factor: 1, capMs: 10 },
    });
    closing.push(() => it.close());
    await it.seed(ITEMS);
    const { id } = await it.retries.start(ALL_FAILURES);
    await eventually('it is in the middle', () => it.sent() > ITEMS / 5, { withinMs: 20_000 });
    frozen.process.kill('SIGSTOP');
    const { rows: claimed } = await engine.database.pool.query(
      `select e.id, e.lease_token from claims c join executions e on e.id = any(c.execution_ids)
       and e.state = 'sending' and e.lease_token = c.token where c.worked_by = $1`,
      [uuidIn('operation', id)],
    );
    expect(claimed.length).toBeGreaterThan(0);
    await engine.addWorker();
    const ids = claimed.map((row) => row.id);
    await eventually(
      'what it had claimed is settled by others',
      async () => {
        // By its tokens: what it had sent to be recorded may be so still, and another may lose its lease as well.
        const { rows } = await engine.database.pool.query(
          `select count(*)::int as held from executions e join unnest($1::uuid[], $2::uuid[]) as c(id, token) on c.id = e.id
           where e.state = 'sending' and e.lease_token = c.token`,
          [ids, claimed.map((row) => row.lease_token)],
        );
        return rows[0].held === 0;
      },
      { withinMs: 20_000 },
    );
    const { rows: lost } = await engine.database.pool.query(
      `select from attempts where fault_code = 'lease_lost' and execution_id = any($1::uuid[])`,
      [ids],
    );
    expect(lost.length).toBeGreaterThan(0);
    frozen.process.kill('SIGCONT');
    const operation = await it.retries.ended(id, 60_000);
    expect(operation).toMatchObject({ state: 'completed', counts: { expected: ITEMS, delivered: ITEMS } });

    for (const { maxOverlap } of it.receivers) expect(maxOverlap).toBe(1);
    const sent = new Map<string, number>();
    for (const { requests } of it.receivers)
      for (const { id: delivery = '' } of requests) sent.set(delivery, (sent.get(delivery) ?? 0) + 1);
    expect(sent.size).toBe(ITEMS);
    // Knowingly: once more for each attempt in the ledger of which nobody knew whether it had arrived.
    const { rows: doubtful } = await engine.database.pool.query(
      `select e.delivery_id, count(*)::int as times from attempts a join executions e on e.id = a.execution_id
       where a.outcome = 'ambiguous' group by 1`,
    );
    const excused = new Map(doubtful.map((row) => [row.delivery_id, row.times]));
    for (const [delivery, times] of sent)
      expect([delivery, times <= 1 + (excused.get(uuidIn('delivery', delivery)) ?? 0)]).toEqual([
        delivery,
        true,
      ]);
  },
);

async function ended(child: ChildScript): Promise<unknown> {
  child.process.kill('SIGCONT');
  child.process.kill('SIGKILL');
  return child.ended;
}
