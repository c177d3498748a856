import { setTimeout as delay } from 'node:timers/promises';
import { readId } from '../../src/domain/tenancy/typed-id.ts';
import type { Figures } from '../figures.ts';
import { alternate, type Bench } from '../scenario.ts';
import { ALL_FAILURES, newScene } from '../scene.ts';

/** Kills and additions of workers, each when so much of the operation is delivered. */
const PLAN = [
  { at: 0.05, kill: 2 },
  { at: 0.1, workers: 4 },
  { at: 0.5, kill: 1 },
  { at: 0.6, workers: 4 },
  { at: 0.85, kill: 1 },
] as const;

/** Longer than a claim lives while its owner lives: an older one was left behind. */
const LEFT_AFTER_MS = 2_000;

/**
 * One operation on four workers of which some are killed in mid-operation, and others added: everything is delivered,
 * and at most the items that were claimed when a worker was killed are doubled.
 */
export async function workers(bench: Bench): Promise<void> {
  await alternate(bench, [{ name: 'workers come and go', rounds: 1, measure: () => comeAndGo(bench) }]);
}

async function comeAndGo({ rig, size, progress }: Bench): Promise<Figures> {
  const items = size(50_000, { least: 10_000 });
  const attempts = new Map<number, number>();
  const heard = (worker: number, line: string) => {
    if (line.includes('"delivery.attempted"')) attempts.set(worker, (attempts.get(worker) ?? 0) + 1);
  };
  await rig.setWorkers(0);
  await rig.setWorkers(4, { heard });
  const scene = await newScene(rig, { endpoints: 20 });
  await scene.seed(items);
  await rig.receiver.forget();
  const startedAt = performance.now();
  const { id } = await scene.retries.start(ALL_FAILURES);
  const plan = [...PLAN];
  let [kills, added] = [0, 0];
  const left: Promise<Map<string, number>>[] = [];
  for (;;) {
    await delay(20);
    const { rows } = await rig.pool.query<{ closed_at: Date | null; delivered: number }>(
      `select closed_at, c.delivered from operations o join operation_counts c on c.operation_id = o.id where o.id = $1`,
      [readId('operation', id)],
    );
    const [row] = rows;
    if (!row) throw new Error('the operation is not there');
    progress.at(row.delivered, items);
    if (row.closed_at) break;
    const [next] = plan;
    if (!next || row.delivered < next.at * items) continue;
    plan.shift();
    if ('workers' in next) {
      const { length } = rig.processes().workers;
      await rig.setWorkers(next.workers, { heard });
      added += next.workers - length;
    } else
      for (let n = 0; n < next.kill; n++) {
        await rig.killWorker(0);
        kills += 1;
        left.push(leftBehind());
      }
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  if (kills === 0) throw new Error('the operation ended before a worker was killed');
  const claims = new Map((await Promise.all(left)).flatMap((tokens) => [...tokens]));
  const claimedAtKills = [...claims.values()].reduce((sum, count) => sum + count, 0);
  const { counts } = await scene.retries.ended(id);
  const ledger = await rig.receiver.ledger();
  if (counts.delivered !== items || ledger.delivered !== items || ledger.twice > claimedAtKills)
    throw new Error(`the ledgers do not add up: ${JSON.stringify({ counts, ledger, claimedAtKills })}`);
  await rig.setWorkers(0);
  const taken = [...attempts.values()];
  return {
    seconds,
    kills,
    added,
    claimedAtKills,
    twice: ledger.twice,
    takenByWorker: Object.fromEntries(taken.map((count, n) => [String(n + 1), count])),
  };

  /** Claims that were there at a kill and still are when their owners, if they lived, would have recorded them. */
  async function leftBehind(): Promise<Map<string, number>> {
    const { rows: then } = await rig.pool.query<{ token: string }>('select token from claims');
    await delay(LEFT_AFTER_MS);
    const { rows } = await rig.pool.query<{ token: string; items: number }>(
      'select token, cardinality(execution_ids) as items from claims where token = any($1)',
      [then.map(({ token }) => token)],
    );
    return new Map(rows.map(({ token, items }) => [token, items]));
  }
}
