import { beforeEach, describe, expect, test } from '@jest/globals';
import { halting } from '../../../src/activities/halting.ts';
import { LimitsMet } from '../../../src/activities/limits-met.ts';
import { progressOf } from '../../../src/activities/progress.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { lookAtOperation } from '../../../src/operations/look-at-operation.ts';
import { controlsOf } from '../../../src/store/operations/operation-controls.ts';
import { cancelExpired } from '../../../src/store/operations/operation-states.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { type QuietContext, quietContext } from '../../support/engine/quiet-context.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** An operation of which a step fails, at the level of one activity. */

const store = useStore();
let tenant: TestTenant;
let context: QuietContext & { limits: LimitsMet };
let operationId: Id<'operation'>;

const AWAY = Object.assign(new Error('gone'), { code: '57P01' });

beforeEach(async () => {
  context = { ...quietContext(store.pool), limits: new LimitsMet() };
  tenant = await store.newTenant();
  const endpointId = await store.newEndpoint(tenant);
  const ids = await store.ingest(tenant, 2);
  await store.attempt(404, { endpointIds: [endpointId] });
  operationId = (await store.retry(tenant, { deliveryIds: ids })).operationId;
  await look();
});

const look = () =>
  halting(context, operationId, 'look', async () => progressOf(await lookAtOperation(context, operationId)));

/** A step that fails; how often it was run. */
async function fail(step: 'select' | 'dispatch' | 'close' | 'look', error: unknown) {
  let runs = 0;
  const progress = await halting(context, operationId, step, async () => {
    runs += 1;
    throw error;
  });
  return { runs, progress };
}

function control(verb: 'pause' | 'resume' | 'cancel') {
  return controlOperation(store.deps, tenant.id, operationId, { do: verb });
}

async function state() {
  const operation = await loadOperation(store.pool, operationId);
  return { state: operation?.state, control: operation?.control, halt: operation?.halt };
}

async function halted(): Promise<number> {
  const { values } = await context.metrics.operationsHalted.get();
  return values.find(({ labels }) => labels.reason === 'failed_step')?.value ?? 0;
}

describe('a step that fails', () => {
  test.each([
    ['22008', Object.assign(new Error('a row in it'), { code: '22008' })],
    ['23514', Object.assign(new Error('a row in it'), { code: '23514' })],
    ['RD001', Object.assign(new Error('a row in it'), { code: 'RD001' })],
    ['TypeError', new TypeError('a value in it')],
    ['unknown_error', 'a text'],
  ])('with %s halts its operation, once, with the code as evidence', async (code, error) => {
    const first = await fail('dispatch', error);
    expect(first).toMatchObject({
      runs: 1,
      progress: { state: 'halted', halt: 'failed_step', step: { do: 'wait', until: 'expiry' } },
    });
    expect(await state()).toMatchObject({
      state: 'halted',
      control: 'pause',
      halt: { reason: 'failed_step', step: 'dispatch', code, at: expect.any(String) },
    });
    // Slices run side by side: each of them may meet it.
    await fail('dispatch', error);
    expect(await halted()).toBe(1);
    const lines = context.lines.filter((line) => line.includes('operation.halted'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toMatch(/a row|a value|a text/);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 'error',
      by: 'redrive',
      step: 'dispatch',
      code,
    });
    expect(await controlsOf(store.pool, tenant.id, operationId)).toMatchObject([
      { did: 'halt', actor: 'redrive', halt: { reason: 'failed_step', step: 'dispatch', code } },
    ]);
    const looked = await look();
    expect(looked).toMatchObject({ state: 'halted', halt: 'failed_step', step: { until: 'expiry' } });
    expect(looked.details).toContain(`failed_step: the step \`dispatch\` failed with \`${code}\``);
  });

  test('because something is away fails in the sight of Temporal, which tries it again', async () => {
    await expect(fail('dispatch', AWAY)).rejects.toBe(AWAY);
    expect(await state()).toMatchObject({ state: 'running', control: 'run' });
  });

  test.each(['57014', '53400'])('by the limit %s is tried for some minutes, and halts then', async (code) => {
    const error = Object.assign(new Error('a row in it'), { code });
    const meetIt = async (times: number) => {
      for (let n = 0; n < times; n++) await expect(fail('select', error)).rejects.toBe(error);
    };
    await meetIt(19);
    await look();
    await meetIt(19);
    await expect(fail('select', AWAY)).rejects.toBe(AWAY);
    await meetIt(19);
    expect(await state()).toMatchObject({ state: 'running' });
    expect((await fail('select', error)).progress).toMatchObject({ state: 'halted' });
    expect(await state()).toMatchObject({ state: 'halted', halt: { step: 'select', code } });
  });

  test('by a race is run once more, and halts only where that fails as well', async () => {
    let runs = 0;
    const raced = Object.assign(new Error(), { code: '23505' });
    const progress = await halting(context, operationId, 'select', async () => {
      runs += 1;
      if (runs === 1) throw raced;
      return progressOf(await lookAtOperation(context, operationId));
    });
    expect([runs, progress.state]).toEqual([2, 'running']);
    expect((await fail('select', raced)).runs).toBe(2);
    expect(await state()).toMatchObject({ state: 'halted', halt: { code: '23505' } });
  });

  test('while its owner asked for something else does that first', async () => {
    await control('cancel');
    const { progress } = await fail('dispatch', new TypeError('x'));
    expect(progress).toMatchObject({ state: 'closing', step: { do: 'wait', ms: 200 } });
    expect(await state()).toMatchObject({ state: 'closing', control: 'cancel' });
    expect(await halted()).toBe(0);
  });
});

describe('an operation that is halted so', () => {
  test('goes on where it was when it is resumed', async () => {
    await fail('dispatch', new TypeError('x'));
    expect(await control('resume')).toMatchObject({
      ok: true,
      operation: { state: 'running', control: 'run' },
    });
    expect((await look()).step).toMatchObject({ do: 'dispatch' });
  });

  test('can be cancelled, and where that fails is halted again until it is asked for once more', async () => {
    await fail('dispatch', new TypeError('x'));
    expect(await control('cancel')).toMatchObject({ ok: true, operation: { state: 'closing' } });
    expect((await look()).step).toEqual({ do: 'close' });
    await fail('close', new RangeError('y'));
    expect(await state()).toMatchObject({
      state: 'halted',
      control: 'cancel',
      halt: { step: 'close', code: 'RangeError' },
    });
    expect((await look()).step).toMatchObject({ do: 'wait', until: 'expiry' });
    // A cancel is not taken back: a resume has it tried again, as another cancel does.
    for (const verb of ['resume', 'cancel'] as const) {
      expect(await control(verb)).toMatchObject({
        ok: true,
        operation: { state: 'closing', control: 'cancel' },
      });
      expect((await look()).step).toEqual({ do: 'close' });
      await fail('close', new RangeError('y'));
    }
    expect(await halted()).toBe(4);
  });

  test('cancels itself when nobody comes', async () => {
    await fail('dispatch', new TypeError('x'));
    expect(await cancelExpired(store.pool, operationId)).toBe(false);
    await store.rows(`update operations set expires_at = now() - interval '1 second' where id = $1`, [
      operationId,
    ]);
    expect((await look()).step).toEqual({ do: 'close' });
    expect(await state()).toMatchObject({ state: 'closing', control: 'cancel' });
  });
});

test('a claim that cannot be settled halts no operation that only looks', async () => {
  const claim = await store.claim({ count: 1 });
  await store.leasesEnd();
  await store.rows(
    `create function refuse_attempts() returns trigger language plpgsql as $$ begin perform 1 / 0; return new; end $$`,
  );
  await store.rows(
    `create trigger refuse before insert on attempts for each row execute function refuse_attempts()`,
  );
  try {
    expect((await look()).state).toBe('running');
    expect(context.lines.filter((line) => line.includes('claims.settle.failed'))).toHaveLength(1);
  } finally {
    await store.rows('drop trigger refuse on attempts');
  }
  await store.record(claim, 'released');
});
