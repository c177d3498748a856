import { setTimeout as delay } from 'node:timers/promises';
import { Agent } from 'undici';
import type { Figures } from '../figures.ts';
import { alternate, type Bench } from '../scenario.ts';
import { newScene } from '../scene.ts';

const BATCH = 500;
const CONNECTIONS = 4;

/**
 * Events a second that are accepted in batches of 500, of 1 KiB each: to one quick endpoint, while they are delivered,
 * and to nobody, where all work is that of acceptance.
 */
export async function ingest(bench: Bench): Promise<void> {
  const { rig, size } = bench;
  await rig.setWorkers(1);
  const batches = Math.ceil(size(50_000, { least: 5_000 }) / BATCH);
  await alternate(bench, [
    { name: 'ingest, delivered', measure: () => measure('bench', batches * BATCH) },
    { name: 'ingest, wanted by nobody', measure: () => measure('other', 0) },
  ]);

  async function measure(type: string, deliveries: number): Promise<Figures> {
    const { key } = await newScene(rig);
    await rig.receiver.forget();
    const body = JSON.stringify(
      Array.from({ length: BATCH }, (_, n) => ({ type, payload: { n, fill: 'x'.repeat(1_000) } })),
    );
    const agent = new Agent({ connections: CONNECTIONS });
    const startedAtMs = performance.timeOrigin + performance.now();
    let left = batches;
    const send = async () => {
      while (left-- > 0) {
        // The plain client: to check each answer against its schema would cost more than the service does.
        const answer = await agent.request({
          origin: rig.url,
          path: '/api/v1/events',
          method: 'POST',
          headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
          body,
        });
        const text = await answer.body.text();
        if (answer.statusCode !== 202) throw new Error(`not accepted: ${answer.statusCode} ${text}`);
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, send));
    const seconds = (performance.timeOrigin + performance.now() - startedAtMs) / 1_000;
    await agent.close();
    const perSecond = (batches * BATCH) / seconds;
    if (deliveries === 0) return { perSecond };
    let ledger = await rig.receiver.ledger();
    while (ledger.distinct < deliveries) {
      bench.progress.at(ledger.distinct, deliveries);
      await delay(50);
      ledger = await rig.receiver.ledger();
    }
    if (ledger.twice > 0) throw new Error(`${ledger.twice} were delivered twice`);
    return { perSecond, deliveredPerSecond: (deliveries / (ledger.lastAtMs - startedAtMs)) * 1_000 };
  }
}
