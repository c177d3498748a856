import { setTimeout as delay } from 'node:timers/promises';
import { readId } from '../../src/domain/tenancy/typed-id.ts';
import type { Figures } from '../figures.ts';
import { loadOutage, type OutageTable } from '../outage-table.ts';
import { alternate, type Bench } from '../scenario.ts';
import { newScene, type Scene } from '../scene.ts';

const ROUNDS = 3;
const PATH = '/api/v1/retries/plans';

/**
 * Plans 100,000 and 1M of 10M deliveries, which are the failures of a tenant each: the answer to the POST, and the time
 * until the plan can be executed. Nothing is executed, and each plan is cancelled afterwards.
 */
export async function plan(bench: Bench): Promise<void> {
  const { rig, size, progress } = bench;
  await rig.setWorkers(1);
  const part = size(100_000);
  const sizes = { '100k of 10M': part, '1M of 10M': 10 * part };
  const rows = 50 * part;
  const scenes: [string, Scene, number][] = [];
  const step = progress.step(`loading ${(2 * rows).toLocaleString('en-US')} deliveries`);
  for (const [n, [name, items]] of Object.entries(sizes).entries()) {
    const scene = await newScene(rig, { endpoints: 20 });
    const table: OutageTable = { ...scene, part: items, kind: 'state' };
    await loadOutage(rig.pool, table, {
      from: 0,
      to: rows,
      at: (done) => progress.at(n * rows + done, 2 * rows),
    });
    scenes.push([name, scene, items]);
  }
  await rig.pool.query('vacuum analyze');
  step.end();
  await alternate(
    bench,
    scenes.map(([name, scene, items]) => ({
      name: `plan ${name}`,
      rounds: ROUNDS,
      measure: () => measure(scene, items),
    })),
  );

  async function measure({ key, retries }: Scene, items: number): Promise<Figures> {
    await rig.pool.query('checkpoint');
    const startedAt = performance.now();
    const body = { select: { filter: { state: ['failed'] } } };
    const { body: asked } = await rig.client.expect(201, 'POST', PATH, { key, body });
    const answerMs = performance.now() - startedAt;
    for (;;) {
      const { rows: found } = await rig.pool.query<{ items: number; made: boolean }>(
        'select items, planned_at is not null as made from plans where operation_id = $1',
        [readId('plan', asked.id)],
      );
      if (found[0]?.made && found[0].items !== items)
        throw new Error(`${items} were to be planned, ${found[0].items} are`);
      if (found[0]?.made) break;
      await delay(5);
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    await retries.control(asked.operationId, 'cancel');
    await retries.ended(asked.operationId, 60_000);
    return { seconds, answerMs };
  }
}
