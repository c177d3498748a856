import { setTimeout as delay } from 'node:timers/promises';
import type { DeliveryState } from '../../src/domain/sending/delivery-state.ts';
import { type Id, showId } from '../../src/domain/tenancy/typed-id.ts';
import { startEndlessBulk } from '../endless-bulk.ts';
import { type Figures, percentiles } from '../figures.ts';
import { alternate, type Bench } from '../scenario.ts';
import { newScene } from '../scene.ts';

const ROUNDS = 3;

/**
 * A single retry: from its POST until the request is at the receiver, and until the delivery reads `delivered`; in ms.
 */
export async function single(bench: Bench): Promise<void> {
  const { rig, size } = bench;
  await rig.setWorkers(1);
  await alternate(bench, [
    { name: 'single, idle', rounds: ROUNDS, measure },
    {
      name: 'single, beside a bulk operation',
      rounds: ROUNDS,
      async measure() {
        const beside = await startEndlessBulk(rig, size(100_000));
        const figures = await measure();
        await beside.stop();
        return figures;
      },
    },
  ]);

  async function measure(): Promise<Figures> {
    const samples = size(200, { least: 40, most: 200 });
    const scene = await newScene(rig);
    await scene.seed(samples + WARM_UP);
    const { rows } = await rig.pool.query<{ id: Id<'delivery'> }>(
      'select id from deliveries where tenant_id = $1',
      [scene.tenantId],
    );
    const took = { wireMs: [] as number[], deliveredMs: [] as number[] };
    for (const [n, { id }] of rows.entries()) {
      bench.progress.at(n, rows.length);
      const { wireMs, deliveredMs } = await retryOne(scene, id);
      if (n >= WARM_UP) {
        took.wireMs.push(wireMs);
        took.deliveredMs.push(deliveredMs);
      }
      await delay(10);
    }
    return { samples, wireMs: percentiles(took.wireMs), deliveredMs: percentiles(took.deliveredMs) };
  }

  async function retryOne(scene: Awaited<ReturnType<typeof newScene>>, id: Id<'delivery'>) {
    const deliveryId = showId('delivery', id);
    const arrival = rig.receiver.arrival(deliveryId);
    const startedAt = performance.now();
    const { status, text } = await scene.retries.post({ select: { deliveryIds: [deliveryId] } });
    if (status !== 202) throw new Error(`not accepted: ${text}`);
    const arrivedAt = await arrival;
    for (;;) {
      const { rows } = await rig.pool.query<{ state: DeliveryState }>(
        'select state from deliveries where id = $1',
        [id],
      );
      if (rows[0]?.state === 'delivered') break;
      await delay(1);
    }
    return {
      wireMs: arrivedAt - performance.timeOrigin - startedAt,
      deliveredMs: performance.now() - startedAt,
    };
  }
}

/** The first few retries are not counted: they warm up for the later ones. */
const WARM_UP = 5;
