import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { kept } from '../../src/store/settling/ends.ts';
import { addEndpoints } from '../../test/support/api/add-endpoints.ts';
import type { Figures } from '../figures.ts';
import { alternate, type Bench } from '../scenario.ts';
import { newScene, type Scene } from '../scene.ts';

const ROUNDS = 3;
const BATCH = 500;

/**
 * First deliveries to one good endpoint, alone and beside another tenant's 10,000 endpoints that never answer, each at
 * an address of its own and with a delivery that is due.
 */
export async function neighbours(bench: Bench): Promise<void> {
  const { rig, size } = bench;
  await rig.setWorkers(1);
  const good = await newScene(rig);
  await alternate(bench, [
    { name: 'neighbours, alone', rounds: ROUNDS, measure: deliver },
    { name: 'neighbours, beside', rounds: ROUNDS, measure: beside },
  ]);

  async function beside(): Promise<Figures> {
    const bad = await newScene(rig, { behaviour: 'hang', endpoints: 0 });
    const endpoints = size(10_000);
    await addHanging(bench, bad, endpoints);
    await post(bad.key, 'hang', 1);
    while ((await rig.receiver.requestsOf(bad.path)) < Math.min(endpoints, 32)) await delay(20);
    const figures = await deliver();
    const hung = await rig.receiver.requestsOf(bad.path);
    await cancelAll(bad);
    return { ...figures, hung };
  }

  async function deliver(): Promise<Figures> {
    const count = size(3_000, { least: 300 });
    const [worker] = rig.processes().workers;
    if (!worker) throw new Error('there is no worker');
    const before = await rig.receiver.requestsOf(good.path);
    worker.resetPeak();
    let peakSockets = 0;
    const sample = () => {
      peakSockets = Math.max(peakSockets, socketsOf(worker.pid));
    };
    sample();
    const sampling = setInterval(sample, 50);
    const startedAt = performance.now();
    await post(good.key, 'bench', count);
    for (let had = 0; had < count; had = (await rig.receiver.requestsOf(good.path)) - before) {
      bench.progress.at(had, count);
      await delay(5);
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    clearInterval(sampling);
    sample();
    return { perSecond: count / seconds, peakSockets, workerPeakMiB: worker.peakMiB() };
  }

  async function post(key: string, type: string, count: number): Promise<void> {
    for (let left = count; left > 0; left -= BATCH)
      await rig.client.expect(202, 'POST', '/api/v1/events', {
        key,
        body: Array.from({ length: Math.min(left, BATCH) }, (_, n) => ({ type, payload: { n } })),
      });
  }

  /** So that they are not in the way of what is measured next. */
  async function cancelAll({ tenantId }: Scene): Promise<void> {
    let open = 1;
    while (open > 0) {
      await rig.pool.query(
        `with gone as (
          delete from queue q where q.tenant_id = $1 and q.state in ('queued', 'scheduled') returning q.*
        )
        update execution_records r set outcome = 'cancelled', reason = 'bench', finished_at = now(), ${kept('g')}
        from gone g where r.id = g.execution_id`,
        [tenantId],
      );
      const { rows } = await rig.pool.query<{ open: number }>(
        'select count(*)::int as open from queue where tenant_id = $1',
        [tenantId],
      );
      open = rows[0]?.open ?? 0;
      await delay(100);
    }
  }
}

/** Makes endpoints that want `hang` events, each at a loopback address of its own. */
function addHanging({ rig }: Bench, scene: Scene, count: number): Promise<void> {
  return addEndpoints(rig.pool, {
    masterKey: rig.masterKey,
    tenantId: scene.tenantId,
    eventType: 'hang',
    count,
    urlAt: (host, n) => rig.receiver.urlOf(`${scene.path}/${n}`, host),
  });
}

function socketsOf(pid: number): number {
  const directory = `/proc/${pid}/fd`;
  return readdirSync(directory).filter((fd) => {
    try {
      return readlinkSync(`${directory}/${fd}`).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;
}
