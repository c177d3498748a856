import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ledgerLeaf } from '../../src/domain/proof/ledger-line.ts';
import { sealOf } from '../../src/domain/proof/verification.ts';
import type { Id } from '../../src/domain/tenancy/typed-id.ts';
import { bringToEnd } from '../../src/operations/close-operation.ts';
import { controlOperation } from '../../src/operations/control-operation.ts';
import { acknowledgeDeliveries } from '../../src/operations/deliveries/acknowledge-deliveries.ts';
import { resolveDelivery } from '../../src/operations/deliveries/resolve-delivery.ts';
import { selectAgain } from '../../src/operations/freeze-explicit.ts';
import { hashLines, hashNextLines } from '../../src/proof/hash-ledger.ts';
import { sha256 } from '../../src/proof/sha256.ts';
import { withTransaction } from '../../src/store/db/pool.ts';
import { cancelUnsent } from '../../src/store/operations/cancelling.ts';
import { pageOperationItems } from '../../src/store/operations/operation-items.ts';
import { loadOperation } from '../../src/store/operations/operations.ts';
import { findSeal } from '../../src/store/proof/closure-reports.ts';
import { acknowledge } from '../../src/store/settling/acknowledgements.ts';
import { installCrashPoints } from '../../src/telemetry/crash-points.ts';
import { seedFailures } from '../support/engine/seed-failures.ts';
import { eventually } from '../support/eventually.ts';
import { NO_ID } from '../support/store/any-id.ts';
import { closeOperation, closingContext, freeze, hashAndEnd } from '../support/store/close-operation.ts';
import { storedLines } from '../support/store/ledger-lines.ts';
import type { TestStore, TestTenant } from '../support/store/test-store.ts';
import { useStore } from '../support/store/use-store.ts';

const store = useStore();
const SMALL = { linesOfChunk: 2 };
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant, { onAmbiguous: 'hold' });
});

afterEach(() => installCrashPoints(() => {}));

async function failed(count: number): Promise<Id<'delivery'>[]> {
  const ids = await store.ingest(tenant, count);
  await store.attempt(404, { endpointIds: [endpointId] });
  return ids;
}

async function bulk(
  request: Parameters<TestStore['retry']>[2] = {},
  selection: Parameters<TestStore['retry']>[1] = { filter: { state: ['failed'] } },
): Promise<Id<'operation'>> {
  const { operationId } = await store.retry(tenant, selection, request);
  await store.select(operationId);
  return operationId;
}

/** An operation with nothing left to send: one item delivered, one failed, all others unknown. */
async function sent(count: number): Promise<Id<'operation'>> {
  await failed(count);
  const operationId = await bulk();
  const claim = await store.claim({ workedBy: operationId, endpointIds: [endpointId] });
  const [delivered, given] = claim.items;
  await store.record(claim, (item) => (item === delivered ? 200 : item === given ? 404 : 'timeout'));
  return operationId;
}

/** The lines of a ledger as they are at this moment. */
async function linesNow(operationId: Id<'operation'>): Promise<string[]> {
  return (await pageOperationItems(store.pool, operationId, { limit: 100 })).items.map(ledgerLeaf);
}

async function sealFor(operationId: Id<'operation'>) {
  const seal = await findSeal(store.pool, tenant.id, operationId);
  return seal && { lines: seal.lines, merkleRoot: seal.merkleRoot.toString('hex') };
}

const tables = ['frozen_items', 'report_drafts'] as const;

async function kept(): Promise<number> {
  const counts = await Promise.all(tables.map((table) => store.rows(`select from ${table}`)));
  return counts.flat().length;
}

function control(operationId: Id<'operation'>, verb: 'pause' | 'cancel') {
  return controlOperation(store.deps, tenant.id, operationId, { do: verb });
}

describe('a line is hashed as it was when the counts were frozen', () => {
  test('whatever is acknowledged or resolved meanwhile, before or after its chunk is stored', async () => {
    const operationId = await sent(7);
    await freeze(store.pool, operationId, SMALL);
    const lines = await linesNow(operationId);
    expect(await hashNextLines(store.pool, operationId, SMALL.linesOfChunk)).toBe(true);
    const rows = await store.rows(
      `select delivery_id as id from executions where operation_id = $1 and state <> 'delivered' order by id`,
      [operationId],
    );
    const [first, second, third, fourth] = rows.map(({ id }) => id as Id<'delivery'>);
    await acknowledgeDeliveries(store.deps, [first ?? NO_ID, rows.at(-1).id]);
    await resolveDelivery(store.deps, tenant.id, second ?? NO_ID, 'failed');
    await resolveDelivery(store.deps, tenant.id, third ?? NO_ID, 'retry');
    await resolveDelivery(store.deps, tenant.id, fourth ?? NO_ID, 'retry');
    await store.attempt(200, { endpointIds: [endpointId], count: 1 });
    await store.attempt('timeout', { endpointIds: [endpointId] });
    // First change wins.
    await acknowledgeDeliveries(store.deps, [second ?? NO_ID]);
    expect(await linesNow(operationId)).not.toEqual(lines);
    expect(await hashAndEnd(store.pool, operationId, SMALL)).toBe(true);
    expect(await storedLines(store.pool, operationId)).toEqual(lines);
    expect(await sealFor(operationId)).toEqual(sealOf(sha256, lines));
    expect(await kept()).toBe(0);
    expect(
      await store.rows('select from late_changes where operation_id = $1 and from_state <> to_state', [
        operationId,
      ]),
    ).toHaveLength(4);
  });

  test('whoever does it: behind one that broke off, and two at once', async () => {
    const operationId = await sent(9);
    await freeze(store.pool, operationId, SMALL);
    const lines = await linesNow(operationId);
    // It has read the next ones by then.
    for await (const _chunk of hashLines(store.pool, operationId, SMALL)) break;
    const hash = async () => {
      for await (const _chunk of hashLines(store.pool, operationId, SMALL));
    };
    await Promise.all([hash(), hash()]);
    expect(await hashAndEnd(store.pool, operationId, SMALL)).toBe(true);
    expect(await storedLines(store.pool, operationId)).toEqual(lines);
    expect(await sealFor(operationId)).toEqual(sealOf(sha256, lines));
  });

  test('also where the execution that took it over is cancelled unsent meanwhile, and another comes in its place', async () => {
    await failed(3);
    const operationId = await bulk();
    const other = await bulk({ options: { takeOverScheduled: true } });
    await freeze(store.pool, operationId, SMALL);
    const lines = await linesNow(operationId);
    expect(lines.every((line) => JSON.parse(line).supersededBy !== null)).toBe(true);
    await control(other, 'cancel');
    await withTransaction(store.pool, (tx) => cancelUnsent(tx, other, 10));
    expect(await linesNow(operationId)).not.toEqual(lines);
    await bulk({}, { remainderOf: other });
    await hashAndEnd(store.pool, operationId, SMALL);
    expect(await storedLines(store.pool, operationId)).toEqual(lines);
  });

  test('and an exclusion names the delivery that stood for it then', async () => {
    const ids = await failed(3);
    const [standIn, another] = (await store.ingest(tenant, 2)) as [Id<'delivery'>, Id<'delivery'>];
    await store.rows('update deliveries set resent_by = $2 where id = any($1)', [ids, standIn]);
    const operationId = await bulk({}, { deliveryIds: ids });
    await freeze(store.pool, operationId, SMALL);
    await store.rows('update deliveries set resent_by = $2 where id = any($1)', [ids, another]);
    const present = await linesNow(operationId);
    await hashAndEnd(store.pool, operationId, SMALL);
    const lines = (await storedLines(store.pool, operationId)).map((line) => JSON.parse(line));
    expect(lines).toMatchObject([{ reason: 'resent' }, { reason: 'resent' }, { reason: 'resent' }]);
    expect(new Set(lines.map(({ resentBy }) => resentBy)).size).toBe(1);
    expect(lines[0].resentBy).not.toBe(JSON.parse(present[0] ?? '').resentBy);
  });
});

describe('closing', () => {
  test('waits for a change that is not committed yet, and leaves nothing of it behind', async () => {
    const operationId = await sent(4);
    await freeze(store.pool, operationId, SMALL);
    const lines = await linesNow(operationId);
    const [{ id }] = await store.rows(
      `select delivery_id as id from executions where operation_id = $1 and state = 'unknown'`,
      [operationId],
    );
    let ended = Promise.resolve(false);
    await withTransaction(store.pool, async (tx) => {
      await acknowledge(tx, [id]);
      ended = hashAndEnd(store.pool, operationId, SMALL);
      await eventually('the closing waits for it', async () => {
        const waiting = await store.rows(
          `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );
        return waiting.length > 0;
      });
    });
    expect(await ended).toBe(true);
    expect(await kept()).toBe(0);
    expect(await storedLines(store.pool, operationId)).toEqual(lines);
    expect(await store.rows('select from late_changes where operation_id = $1', [operationId])).toHaveLength(
      1,
    );
  });

  test('signs a ledger without any line, whose root is that of nothing', async () => {
    const operationId = await bulk();
    await closeOperation(store.pool, operationId);
    expect(await sealFor(operationId)).toEqual(sealOf(sha256, []));
  });

  test('goes on where it was left, whoever does, and signs once', async () => {
    const operationId = await sent(9);
    await freeze(store.pool, operationId, SMALL);
    const lines = await linesNow(operationId);
    await hashNextLines(store.pool, operationId, SMALL.linesOfChunk);
    const ended = await Promise.all(
      Array.from({ length: 4 }, () => hashAndEnd(store.pool, operationId, SMALL)),
    );
    expect(ended.filter(Boolean)).toHaveLength(1);
    expect(await storedLines(store.pool, operationId)).toEqual(lines);
    const written = await store.rows('select * from closure_reports where operation_id = $1', [operationId]);
    expect(written).toHaveLength(1);
    expect(await hashAndEnd(store.pool, operationId, SMALL)).toBe(false);
    await closeOperation(store.pool, operationId, SMALL);
    expect(await store.rows('select * from closure_reports where operation_id = $1', [operationId])).toEqual(
      written,
    );
  });

  test('selects nothing any more between the freeze and the end, and nobody works its items', async () => {
    const [delivery = NO_ID] = await failed(1);
    const holder = await store.retry(tenant, { deliveryIds: [delivery] });
    await failed(3);
    const operationId = await bulk();
    await store.attempt('timeout', { workedBy: operationId, endpointIds: [endpointId] });
    expect(await freeze(store.pool, operationId, SMALL)).toEqual({ became: 'frozen' });
    await control(holder.operationId, 'cancel');
    await withTransaction(store.pool, (tx) => cancelUnsent(tx, holder.operationId, 10));
    const operation = await loadOperation(store.pool, operationId);
    if (!operation) throw new Error('no such operation');
    expect(await withTransaction(store.pool, (tx) => selectAgain(tx, operation, 10))).toBe(0);
    const [{ id }] = await store.rows(
      `select delivery_id as id from executions where operation_id = $1 and state = 'unknown'`,
      [operationId],
    );
    // A cancel comes too late for what is sent again, and a pause holds back nothing.
    for (const verb of ['pause', 'cancel'] as const) await control(operationId, verb);
    await resolveDelivery(store.deps, tenant.id, id, 'retry');
    expect(await store.attempt(503, { endpointIds: [endpointId] })).toMatchObject([{ state: 'scheduled' }]);
    await hashAndEnd(store.pool, operationId, SMALL);
    expect(await store.rows('select state from operations where id = $1', [operationId])).toEqual([
      { state: 'cancelled' },
    ]);
  });

  test('refuses to change what was frozen, hashed or signed, whoever tries', async () => {
    const operationId = await sent(3);
    await freeze(store.pool, operationId, SMALL);
    const change = (table: string, set: string) =>
      store.rows(`update ${table} set ${set} where operation_id = $1`, [operationId]);
    await expect(
      change('operation_counts', 'delivered = delivered + 1, expected = expected + 1'),
    ).rejects.toThrow(/never changed/);
    await expect(
      store.rows('delete from exclusions where operation_id = $1', [operationId]),
    ).resolves.toEqual([]);
    await hashAndEnd(store.pool, operationId, SMALL);
    await expect(change('ledger_chunks', 'lines = 1')).rejects.toThrow(/never changed/);
    await expect(change('closure_reports', "jws = ''")).rejects.toThrow(/never changed/);
  });

  test('halts where the lines are not as many as were counted', async () => {
    const operationId = await sent(3);
    await freeze(store.pool, operationId, SMALL);
    await store.rows(`delete from executions where operation_id = $1 and state = 'unknown'`, [operationId]);
    await expect(hashAndEnd(store.pool, operationId, SMALL)).rejects.toMatchObject({
      code: 'lines_disagree',
    });
    expect(await sealFor(operationId)).toBeUndefined();
  });
});

describe('a ledger of many lines', () => {
  const ITEMS = 100_000;

  /** Loads an operation all of whose items were delivered. */
  async function seedClosable(count: number): Promise<Id<'operation'>> {
    await seedFailures(store.pool, { tenantId: tenant.id, endpointIds: [endpointId], count });
    const { operationId } = await store.retry(tenant, { filter: { state: ['pending'] } });
    await store.select(operationId);
    // As they end after their sending, without counting one by one.
    await withTransaction(store.pool, async (tx) => {
      await tx.query('set local session_replication_role = replica');
      await tx.query(
        `insert into execution_records (tenant_id, delivery_id, endpoint_id, operation_id, generation, outcome, due_at, give_up_at,
           finished_at, attempts, lost_attempts, may_have_arrived)
         select tenant_id, id, endpoint_id, $1, 2, 'delivered', now(), now() + interval '1 day', now(), 0, 0, false
         from deliveries where tenant_id = $2`,
        [operationId, tenant.id],
      );
      await tx.query('update operation_counts set expected = $2, delivered = $2 where operation_id = $1', [
        operationId,
        count,
      ]);
    });
    await store.rows('analyze execution_records, queue, deliveries, events');
    return operationId;
  }

  test('is hashed chunk by chunk, goes on after a crash in the middle, and holds one chunk at a time', async () => {
    const operationId = await seedClosable(ITEMS);
    const context = closingContext(store.pool);
    // As its workflow does: a step of a busy machine ends before all is hashed.
    const close = async () => {
      while (!(await loadOperation(store.pool, operationId))?.closedAt)
        await bringToEnd(context, operationId, new AbortController().signal);
    };
    let chunks = 0;
    installCrashPoints((point) => {
      if (point === 'hashed' && ++chunks === 40) throw new Error('the process dies here');
    });
    await expect(close()).rejects.toThrow('dies here');
    expect(
      await store.rows('select number from ledger_chunks where operation_id = $1', [operationId]),
    ).toHaveLength(40);
    let most = 0;
    const before = heapBytes();
    installCrashPoints((point) => {
      if (point === 'hashed') most = Math.max(most, heapBytes() - before);
    });
    await close();
    const chunksStored = await store.rows(
      'select lines from ledger_chunks where operation_id = $1 order by number',
      [operationId],
    );
    expect(chunksStored).toHaveLength(Math.ceil(ITEMS / 1_024));
    expect(await store.rows('select state from operations where id = $1', [operationId])).toEqual([
      { state: 'completed' },
    ]);
    expect(await sealFor(operationId)).toEqual(sealOf(sha256, await storedLines(store.pool, operationId)));
    // The lines are some 60 MB of text, and several times that as rows: what one chunk needs, and garbage, is less.
    expect(most).toBeLessThan(150e6);
  });
});

function heapBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
