import { setTimeout as delay } from 'node:timers/promises';
import { readId, showId } from '../../src/domain/tenancy/typed-id.ts';
import { NO_ID } from '../../test/support/store/any-id.ts';
import type { Figures } from '../figures.ts';
import { loadOutage, type OutageTable, outageWindow, SCATTERED_CODE } from '../outage-table.ts';
import { alternate, type Bench } from '../scenario.ts';
import { newScene, type Scene } from '../scene.ts';

const ROUNDS = 3;
const HOUR_MS = 3_600_000;

/**
 * Freezes 100,000 of 1M, and then of 10M deliveries, half of them of each of two tenants: from the POST until the
 * selection has ended. Nothing is sent (`notBefore`), and what was frozen is cancelled afterwards.
 */
export async function select(bench: Bench): Promise<void> {
  const { rig, size, progress } = bench;
  await rig.setWorkers(1);
  const part = size(100_000);
  const scenes = {
    outage: await newScene(rig, { endpoints: 20 }),
    state: await newScene(rig, { endpoints: 20 }),
  };
  const tables: OutageTable[] = (['outage', 'state'] as const).map((kind) => ({
    ...scenes[kind],
    part,
    kind,
  }));
  const [outage = { part } as OutageTable] = tables;
  const endpointIds = [showId('endpoint', scenes.outage.endpointIds[0] ?? NO_ID)];
  let loaded = 0;
  for (const [rows, label] of [
    [5 * part, '1M'],
    [50 * part, '10M'],
  ] as const) {
    const step = progress.step(`loading ${(2 * rows).toLocaleString('en-US')} deliveries`);
    for (const [n, table] of tables.entries())
      await loadOutage(rig.pool, table, {
        from: loaded,
        to: rows,
        at: (done) => progress.at(n * (rows - loaded) + done, 2 * (rows - loaded)),
      });
    loaded = rows;
    await rig.pool.query('vacuum analyze');
    step.end();
    const of = (name: string, scene: Scene, filter: Record<string, unknown>) => ({
      name: `select ${label}, ${name}`,
      rounds: ROUNDS,
      measure: () => freeze(scene, filter),
    });
    // The first operation after a pause pays for connections and code that the others find warm.
    await freeze(scenes.outage, { faultCodes: [SCATTERED_CODE] });
    await alternate(bench, [
      of('endpoint and window', scenes.outage, { endpointIds, ...outageWindow(outage) }),
      of('fault code', scenes.outage, { faultCodes: [SCATTERED_CODE] }),
      of('state', scenes.state, { state: ['failed'] }),
    ]);
  }

  async function freeze({ retries }: Scene, filter: Record<string, unknown>): Promise<Figures> {
    await rig.pool.query('checkpoint');
    const startedAt = performance.now();
    const notBefore = new Date(Date.now() + HOUR_MS).toISOString();
    const { id } = await retries.start({ select: { filter }, options: { notBefore } });
    for (;;) {
      const { rows } = await rig.pool.query<{ selected_at: Date | null }>(
        'select selected_at from operations where id = $1',
        [readId('operation', id)],
      );
      if (rows[0]?.selected_at) break;
      await delay(5);
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    await retries.control(id, 'cancel');
    const { counts } = await retries.ended(id, 60_000);
    if (counts.expected !== part || counts.cancelled !== part)
      throw new Error(`${part} were to be frozen: ${JSON.stringify(counts)}`);
    return { seconds };
  }
}
