import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { DELIVERY_STATES } from '../../src/domain/sending/delivery-state.ts';
import { fixedId } from '../../src/domain/tenancy/typed-id.ts';
import { withTransaction } from '../../src/store/db/pool.ts';
import { LIVE_LANE, type Queryable, type Statement } from '../../src/store/db/queryable.ts';
import { foldAttempts } from '../../src/store/figures/attempt-folds.ts';
import { type ClaimedItem, claimItems } from '../../src/store/sending/claims.ts';
import { endClaims, recordOutcomes } from '../../src/store/settling/outcomes.ts';
import { outcomeOf } from '../../test/support/store/test-store.ts';
import { type Figures, percentiles } from '../figures.ts';
import { loadOutage, type OutageTable, outageWindow, SCATTERED_CODE } from '../outage-table.ts';
import type { Rig } from '../rig.ts';
import { runBulk } from '../run-bulk.ts';
import type { Bench } from '../scenario.ts';
import { newScene, type Scene } from '../scene.ts';

/** Pairs of records with and without counting, which is what a feature costs in bulk, each beside a whole bulk retry. */
const PAIRS = 9;
const ITEMS = 60_000;
const WHOLE_ITEMS = 20_000;
const BATCH = 256;
const LEASE_MS = 600_000;
const ALL_STATES = DELIVERY_STATES.map((state) => `state=${state}`).join('&');
/** More than Postgres keeps by itself, which is a GiB at most; so much is written before each cold answer. */
const COLD_MIB = 1_200;
const ALSO_COLD = ['count, failed', 'groups, endpoint and fault', 'groups, type'];
/** Answers of each kind over a large table. */
const ANSWERS = 20;

/**
 * The cost of counting attempts where outcomes are recorded, and how soon counts and groups are answered over 1M
 * deliveries of a tenant, of which more have failed than are counted exactly. Nothing is sent.
 */
export async function figures(bench: Bench): Promise<void> {
  await counting(bench);
  await bench.rig.setWorkers(0);
  await answering(bench);
}

async function counting(bench: Bench): Promise<void> {
  const { rig, size, progress } = bench;
  const items = size(ITEMS);
  for (let round = 1; round <= PAIRS; round++) {
    const whole = progress.step(`a whole delivery (round ${round} of ${PAIRS})`);
    bench.record({
      name: 'a whole delivery',
      round,
      figures: await runBulk(bench, { items: size(WHOLE_ITEMS) }),
    });
    whole.end();
    await rig.setWorkers(0);
    for (const counted of round % 2 === 0 ? [true, false] : [false, true]) {
      const name = counted ? 'record, counted' : 'record, not counted';
      const step = progress.step(`${name} (round ${round} of ${PAIRS})`);
      const scene = await newScene(rig, { endpoints: 20 });
      await scene.seed(items, 100);
      bench.record({ name, round, figures: await record(bench, scene, counted) });
      step.end();
    }
  }
}

/** Records the outcomes of a scene, in batches as a sender does; CPU of Postgres for an item. */
async function record({ rig }: Bench, scene: Scene, counted: boolean): Promise<Figures> {
  const { pool } = rig;
  await pool.query(
    `with run as (
       insert into execution_records (tenant_id, delivery_id, endpoint_id, generation)
       select tenant_id, id, endpoint_id, 2 from deliveries where tenant_id = $1
       returning id, tenant_id, delivery_id, endpoint_id
     )
     insert into queue (delivery_id, execution_id, tenant_id, endpoint_id, state, due_at, give_up_at)
     select delivery_id, id, tenant_id, endpoint_id, 'queued', now(), now() + interval '1 day' from run`,
    [scene.tenantId],
  );
  await pool.query('analyze execution_records, queue');
  const batches: { token: string; items: ClaimedItem[] }[] = [];
  for (;;) {
    const token = randomUUID();
    const count = Math.ceil(BATCH / scene.endpointIds.length);
    const grants = scene.endpointIds.map((endpointId) => ({ endpointId, count }));
    const { items } = await claimItems(pool, LIVE_LANE, token, grants, LEASE_MS, 1e9);
    if (items.length === 0) break;
    batches.push({ token, items });
  }
  const db = counted ? pool : withoutCounting(pool);
  const { postgres } = rig.processes();
  const items = batches.reduce((sum, batch) => sum + batch.items.length, 0);
  const beganMs = postgres.cpuMs();
  for (const { token, items: batch } of batches) {
    await recordOutcomes(
      db,
      batch.map((item) => outcomeOf(token, item, 200)),
    );
    await endClaims(pool, [token]);
  }
  const recordedMs = postgres.cpuMs();
  while (((await withTransaction(pool, (tx) => foldAttempts(tx, 20_000)))?.deltas ?? 0) > 0);
  const perItem = (ms: number) => (ms * 1_000) / items;
  return {
    cpuUs: { record: perItem(recordedMs - beganMs), fold: perItem(postgres.cpuMs() - recordedMs) },
  };
}

/** The same statements, but that recorded attempts are not counted. */
function withoutCounting(db: Queryable): Queryable {
  const cut = (statement: Statement): Statement => {
    const text = statement.text.replace(/, counted as \([\s\S]*?\n {4}\), folded as/, ', folded as');
    if (text === statement.text) throw new Error('a record does not count its attempts');
    return { ...statement, name: `${statement.name}-not-counted`, text };
  };
  return {
    query: (statement, values) =>
      db.query(typeof statement === 'string' ? statement : cut(statement), values),
  };
}

async function answering(bench: Bench): Promise<void> {
  const { rig, size, progress } = bench;
  const part = size(100_000);
  const scene = await newScene(rig, { endpoints: 20 });
  const table: OutageTable = { ...scene, part, kind: 'outage' };
  const rows = 10 * part;
  const step = progress.step(`loading ${rows.toLocaleString('en-US')} deliveries`);
  await loadOutage(rig.pool, table, { from: 0, to: rows, at: (done) => progress.at(done, rows) });
  await rig.pool.query('vacuum analyze');
  step.end();
  const [endpointId = fixedId('endpoint', '')] = scene.endpointIds;
  const window = new URLSearchParams(outageWindow(table)).toString();
  const queries = {
    'count, all': 'deliveries/count',
    'count, failed': 'deliveries/count?state=failed',
    'count, one fault in a window': `deliveries/count?state=failed&faultCodes=${SCATTERED_CODE}&${window}`,
    'count, one endpoint': `deliveries/count?endpointIds=${endpointId}`,
    'count, a type that nothing has': 'deliveries/count?eventTypes=nothing',
    'count, a status that nothing has': 'deliveries/count?httpStatus=418',
    'groups, endpoint and fault': 'failures/groups?by=endpoint,fault,status',
    'groups, endpoint and fault, of all states': `failures/groups?by=endpoint,fault,status&${ALL_STATES}`,
    'groups, hour': 'failures/groups?by=hour',
    'groups, type': 'failures/groups?by=type',
    'stats, attempts of a day': 'stats/attempts?by=outcome',
    'stats, events of a day': 'stats/events',
  };
  for (const [name, query] of Object.entries(queries)) {
    let answer = { count: 0, basis: '' };
    const ask = async (): Promise<number> => {
      const beganMs = performance.now();
      ({ body: answer } = await rig.client.expect(200, 'GET', `/api/v1/${query}`, { key: scene.key }));
      return performance.now() - beganMs;
    };
    const cold = ALSO_COLD.includes(name);
    if (cold) await coolDown(rig);
    const firstMs = await ask();
    const times: number[] = [];
    for (let n = 0; n < ANSWERS; n++) times.push(await ask());
    bench.record({
      name,
      round: 1,
      figures: {
        answerMs: { ...percentiles(times), ...(cold ? { cold: firstMs } : {}) },
        ...(answer.basis ? { counted: answer.count, exact: answer.basis === 'exact' ? 1 : 0 } : {}),
      },
    });
  }
}

/** Makes Postgres and the kernel forget the pages of the database, so that the next answer reads them from the disk. */
async function coolDown({ pool }: Rig): Promise<void> {
  await pool.query(`
    create unlogged table if not exists cold (fill text);
    truncate cold;
    insert into cold select repeat('x', 1000) from generate_series(1, ${COLD_MIB * 1_024});
    checkpoint`);
  const { rows } = await pool.query<{ directory: string }>(
    `select current_setting('data_directory') || '/base' as directory`,
  );
  await promisify(execFile)('find', [
    rows[0]?.directory ?? '',
    ...['-type', 'f', '-exec', 'dd', 'if={}', 'iflag=nocache', 'count=0', 'status=none', ';'],
  ]);
}
