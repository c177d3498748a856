import { afterEach, beforeAll, expect, test } from '@jest/globals';
import { uuidIn } from '../support/api/retries.ts';
import { ALL_FAILURES, createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { useEngine, useTemporal } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { metricsAt, sampleOf } from '../support/metrics.ts';
import { ok } from '../support/receivers/receiver-behaviour.ts';

/** An operation with a step that Postgres refuses halts and says why: no step that cannot succeed is tried for ever. */

const temporal = useTemporal();
const engine = useEngine();
let it: Scene;

beforeAll(async () => {
  await engine.database.pool.query(
    `create function refuse_row() returns trigger language plpgsql as $$ begin perform 1 / 0; return new; end $$`,
  );
});
afterEach(async () => {
  await permit();
  await it.close();
});

/** Where an execution is changed: what is open is in the queue, and its record has its outcome. */
const CHANGES = {
  insert: { event: 'insert', table: 'queue', column: undefined },
  sending: { event: 'update', table: 'queue', column: 'state' },
  delivered: { event: 'update', table: 'execution_records', column: 'outcome' },
  cancelled: { event: 'update', table: 'execution_records', column: 'outcome' },
} as const;

/** Has Postgres refuse such changes of executions of the tenant's operations. */
async function refuse(when: keyof typeof CHANGES): Promise<void> {
  const tenantId = uuidIn('tenant', it.tenant.id);
  const { event, table, column } = CHANGES[when];
  await engine.database.pool.query(
    `create trigger refuse before ${event} on ${table} for each row
     when (new.tenant_id = '${tenantId}' and new.operation_id is not null
       ${column === undefined ? '' : `and new.${column} = '${when}'`}) execute function refuse_row()`,
  );
}

function permit() {
  return engine.database.pool.query(
    'drop trigger if exists refuse on queue; drop trigger if exists refuse on execution_records',
  );
}

async function haltsCounted(): Promise<number> {
  const text = await metricsAt(engine.service.url);
  return sampleOf(text, 'redrive_operations_halted_total{reason="failed_step"}') ?? 0;
}

const linesOf = (id: string) =>
  engine.log.filter((line) => line.includes('operation.halted') && line.includes(id));

/** How often Temporal is trying a step of it at this moment. */
async function pendingSteps(workflowId: string): Promise<number> {
  const { raw } = await temporal.handle(workflowId).describe();
  return raw.pendingActivities?.length ?? 0;
}

test('an operation that cannot send is halted once, and completes when its cause is gone and it is resumed', async () => {
  it = await createScene(engine, [ok]);
  await it.seed(40);
  await refuse('sending');
  const before = await haltsCounted();
  const { id, workflowId } = await it.retries.start(ALL_FAILURES);
  const halted = await it.retries.reaches(id, ['halted']);
  expect(halted).toMatchObject({
    control: 'pause',
    counts: { queued: 40 },
    nextEvent: { what: 'expiry' },
    halt: { reason: 'failed_step', step: 'dispatch', code: '22012' },
  });
  await eventually('Temporal tries nothing', async () => (await pendingSteps(workflowId)) === 0);
  expect([await haltsCounted(), linesOf(id).length]).toEqual([before + 1, 1]);

  // Resumed while its cause is there it is halted again, and once again.
  await it.retries.control(id, 'resume');
  await eventually('it is halted again', () => linesOf(id).length === 2);
  expect(it.sent()).toBe(0);

  await permit();
  await it.retries.control(id, 'resume');
  expect(await it.retries.ended(id)).toMatchObject({
    state: 'completed',
    counts: { delivered: 40 },
    remainder: { count: 0 },
  });
});

test('an operation whose outcomes cannot be recorded sends nothing more, keeps what it knows, and goes on when its cause is gone', async () => {
  // Longer than this test: its leases do not end.
  it = await createScene(engine, [ok], { timeoutMs: 60_000 });
  await it.seed(400);
  await refuse('delivered');
  const { id } = await it.retries.start({ ...ALL_FAILURES, options: { maxConcurrency: 5 } });
  expect(await it.retries.reaches(id, ['halted'])).toMatchObject({
    counts: { delivered: 0 },
    halt: { reason: 'failed_step', step: 'record', code: '22012' },
  });
  expect(it.sent()).toBeLessThan(400);
  await permit();
  await eventually('what was sent is recorded', async () => {
    const { counts } = await it.retries.show(id);
    return counts.sending === 0 && counts.delivered === it.sent();
  });
  await it.retries.control(id, 'resume');
  expect(await it.retries.ended(id)).toMatchObject({ state: 'completed', counts: { delivered: 400 } });
  expect(it.sent()).toBe(400);
});

test('an operation that cannot select can be cancelled all the same', async () => {
  it = await createScene(engine, [ok]);
  await it.seed(10);
  await refuse('insert');
  const { id } = await it.retries.start(ALL_FAILURES);
  expect(await it.retries.reaches(id, ['halted'])).toMatchObject({
    halt: { reason: 'failed_step', step: 'select', code: '22012' },
  });
  await it.retries.control(id, 'cancel');
  expect(await it.retries.ended(id)).toMatchObject({ state: 'cancelled', counts: { expected: 0 } });
});

test('an operation whose cancel fails is halted again with that, and ends when it is asked for once more', async () => {
  it = await createScene(engine, [ok]);
  await it.seed(10);
  await refuse('sending');
  const { id } = await it.retries.start(ALL_FAILURES);
  await it.retries.reaches(id, ['halted']);
  await permit();
  await refuse('cancelled');
  await it.retries.control(id, 'cancel');
  await eventually('it is halted again', () => linesOf(id).length === 2);
  expect(await it.retries.show(id)).toMatchObject({
    state: 'halted',
    control: 'cancel',
    halt: { reason: 'failed_step', step: 'close', code: '22012' },
  });
  await permit();
  await it.retries.control(id, 'cancel');
  expect(await it.retries.ended(id)).toMatchObject({
    state: 'cancelled',
    counts: { cancelled: 10 },
    remainder: { count: 10, byReason: { cancelled: 10 } },
  });
  expect(it.sent()).toBe(0);
});
