import { setTimeout as delay } from 'node:timers/promises';
import { readId } from '../../src/domain/tenancy/typed-id.ts';
import type { Figures } from '../figures.ts';
import { measureFirstDeliveries } from '../first-deliveries.ts';
import { loadOutage } from '../outage-table.ts';
import { alternate, type Bench } from '../scenario.ts';
import { ALL_FAILURES, newScene, type Scene } from '../scene.ts';

const ROUNDS = 3;
/** Ten seconds, whatever the size: a 95th percentile of fewer says little. */
const SAMPLES = 500;
const PLANS = '/api/v1/retries/plans';

/**
 * First deliveries, idle and beside the making of a plan of 1M out of 10M deliveries of another tenant. A plan that is
 * made is cancelled, and the next one asked for, for as long as first deliveries are measured.
 */
export async function planning(bench: Bench): Promise<void> {
  const { rig, size, progress } = bench;
  await rig.setWorkers(1);
  const part = size(1_000_000);
  const rows = 10 * part;
  const scene = await newScene(rig, { endpoints: 20 });
  const step = progress.step(`loading ${rows.toLocaleString('en-US')} deliveries`);
  await loadOutage(
    rig.pool,
    { ...scene, part, kind: 'state' },
    { from: 0, to: rows, at: (done) => progress.at(done, rows) },
  );
  await rig.pool.query('vacuum analyze');
  await rig.pool.query('checkpoint');
  step.end();
  await alternate(bench, [
    { name: 'planning, idle', rounds: ROUNDS, measure: () => measureFirstDeliveries(bench, SAMPLES) },
    {
      name: 'planning, beside',
      rounds: ROUNDS,
      async measure() {
        const beside = await startEndlessPlan(scene, part);
        const figures = await measureFirstDeliveries(bench, SAMPLES);
        return { ...figures, ...(await beside.stop()) };
      },
    },
  ]);

  /** Makes one plan behind the other, and returns as soon as the first one grows. */
  async function startEndlessPlan(
    { key, retries }: Scene,
    items: number,
  ): Promise<{ stop(): Promise<Figures> }> {
    let planned = 0;
    let id = await ask(key);
    let stopping = false;
    while ((await sizeOf(id)).items === 0) await delay(5);
    const startedAt = performance.now();
    const going = (async () => {
      for (; !stopping; await delay(20)) {
        const { items: found, made } = await sizeOf(id);
        if (!made) continue;
        if (found !== items) throw new Error(`${items} were to be planned, ${found} are`);
        planned += found;
        await retries.control(id, 'cancel');
        id = await ask(key);
      }
    })();
    // Heard of when it is stopped; until then it must not end the process.
    going.catch(() => {});
    return {
      async stop() {
        stopping = true;
        await going;
        planned += (await sizeOf(id)).items;
        const plannedPerSecond = (planned * 1_000) / (performance.now() - startedAt);
        await retries.control(id, 'cancel');
        await retries.ended(id, 60_000);
        return { plannedPerSecond };
      },
    };
  }

  async function ask(key: string): Promise<string> {
    const { body } = await rig.client.expect(201, 'POST', PLANS, { key, body: ALL_FAILURES });
    return body.operationId;
  }

  async function sizeOf(operationId: string): Promise<{ items: number; made: boolean }> {
    const { rows: found } = await rig.pool.query<{ items: number; made: boolean }>(
      'select items, planned_at is not null as made from plans where operation_id = $1',
      [readId('operation', operationId)],
    );
    return found[0] ?? { items: 0, made: false };
  }
}
