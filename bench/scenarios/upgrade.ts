import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { migrate } from '../../src/store/db/migrate.ts';
import { onlyRow } from '../../src/store/db/only-row.ts';
import { createPool, withTransaction } from '../../src/store/db/pool.ts';
import {
  changedBySwitch,
  type Filled,
  killWhileCopying,
  migrationsWithPicture,
  prepareBefore,
} from '../../test/support/store/before-the-queue.ts';
import { accept, startEarlierHands } from '../../test/support/store/earlier-hands.ts';
import type { TestPool } from '../../test/support/store/test-database.ts';
import { inTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { type Figures, percentiles, quantile } from '../figures.ts';
import { alternate, type Bench } from '../scenario.ts';

const EVERY_MS = 20;
const BASELINE_MS = 10_000;

/** What a worker of a running bulk operation does. */
const BULK = ['claim of the first', 'claim of the second', 'record'];

/**
 * The upgrade of a full installation in place, under load: executions are copied while statements of the version before
 * accept 50 events a second and work two bulk operations, the copy is killed once and goes on, the switch, and every
 * execution compared. Of a database of its own.
 */
export function upgrade(bench: Bench): Promise<void> {
  const deliveries = bench.size(1_000_000, { least: 10_000 });
  return alternate(bench, [
    {
      name: 'upgrade, 1M deliveries',
      rounds: 1,
      measure: ({ rig }) => withDatabase(rig.databaseUrl, (url, pool) => measure(url, pool, deliveries)),
    },
  ]);
}

async function measure(url: string, pool: TestPool, deliveries: number): Promise<Figures> {
  const filled = await prepareBefore(url, pool, deliveries);
  await pool.query('analyze');
  const ingest = startIngest(pool, filled);
  const hands = startEarlierHands(pool, filled, 2, BULK);
  await delay(BASELINE_MS);
  const before = ingest.taken();
  const since = performance.now();
  let copiedAt = since;
  let passed = 0;
  const onProgress = (progress: object) => {
    if (!('passed' in progress)) return;
    passed = Number(progress.passed);
    copiedAt = performance.now();
  };
  await inTemporaryDirectory(async (path) => {
    const directory = await migrationsWithPicture(path);
    const killed = migrate(url, { directory, onProgress }).then(
      () => false,
      () => true,
    );
    while (passed < deliveries / 4) await delay(50);
    await killWhileCopying(pool);
    if (!(await killed)) throw new Error('the copy was not killed');
    const result = await migrate(url, { directory, onProgress });
    if (!result.ok) throw new Error(result.problem);
  });
  const seconds = (performance.now() - since) / 1_000;
  const during = await ingest.ended;
  const { errors } = await hands.done;
  const surprise = errors.find(({ code }) => code !== '25006');
  if (surprise) throw new Error(`the version before met ${surprise.code}: ${surprise.message}`);
  const changed = await changedBySwitch(pool);
  if (changed.length > 0) throw new Error(`not as it was: ${JSON.stringify(changed)}`);
  const { ms, executions } = onlyRow(
    await pool.query<{ ms: number; executions: number }>(
      `select extract(epoch from max(at) - min(at))::float8 * 1000 as ms,
         (select count(*)::int from executions_before) as executions from locked_at`,
    ),
  );
  return {
    executions,
    seconds,
    copiedPerSecond: passed / ((copiedAt - since) / 1_000),
    lockedMs: ms,
    acceptedMs: {
      before: percentiles(before),
      during: { ...percentiles(during), max: quantile(during, 1) },
    },
  };
}

/** Accepts events at a steady pace until it is refused; a latency counts from when its event was due. */
function startIngest(pool: TestPool, filled: Filled) {
  let latencies: number[] = [];
  const run = async () => {
    const startedAt = performance.now();
    const sent: Promise<boolean>[] = [];
    let refused = false;
    for (let n = 0; !refused; n++) {
      const dueAt = startedAt + n * EVERY_MS;
      await delay(Math.max(0, dueAt - performance.now()));
      const one = withTransaction(pool, (tx) => accept(tx, filled)).then(
        () => {
          latencies.push(performance.now() - dueAt);
          return true;
        },
        () => {
          refused = true;
          return false;
        },
      );
      sent.push(one);
    }
    await Promise.all(sent);
    return latencies;
  };
  return {
    ended: run(),
    /** The latencies up to now, which do not count among the later ones. */
    taken() {
      const taken = latencies;
      latencies = [];
      return taken;
    },
  };
}

async function withDatabase<Result>(
  url: string,
  act: (url: string, pool: TestPool) => Promise<Result>,
): Promise<Result> {
  const name = `upgrade_${randomBytes(4).toString('hex')}`;
  const maintenance = createPool(url, { max: 1 });
  try {
    await maintenance.query(`create database ${name} template template0`);
    const own = new URL(url);
    own.pathname = `/${name}`;
    const pool: TestPool = createPool(own.href, { max: 12 });
    try {
      return await act(own.href, pool);
    } finally {
      await pool.end();
      await maintenance.query(`drop database if exists ${name} with (force)`);
    }
  } finally {
    await maintenance.end();
  }
}
