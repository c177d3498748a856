import { describe, expect, test } from '@jest/globals';
import { uuidIn } from '../support/api/retries.ts';
import { ALL_FAILURES, type Scene } from '../support/engine/recovery-scene.ts';
import { startTestEngine } from '../support/engine/test-engine.ts';
import { useEngine, useScenes, useTemporal } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { patient, TIME_TO_ANSWER_MS } from '../support/patience.ts';
import { hang, held, ok, slow, status } from '../support/receivers/receiver-behaviour.ts';
import { startTcpProxy } from '../support/receivers/tcp-proxy.ts';

const temporal = useTemporal();
const engine = useEngine();
const scene = useScenes(engine);

/** Lets it be an operation's turn now: sweeps look at those that have waited longest, some at a time. */
async function itsTurn(id: string, more = ''): Promise<void> {
  await engine.database.pool.query(`update operations set nudged_at = '-infinity'${more} where id = $1`, [
    uuidIn('operation', id),
  ]);
}

/** An operation whose items all wait for their next attempt. */
async function waiting(
  ms: number,
  options: Record<string, unknown> = {},
): Promise<Scene & { id: string; workflowId: string }> {
  const it = await scene([status(503)], {
    protect: false,
    retry: { maxAttempts: 2, initialMs: ms, capMs: ms },
  });
  await it.seed(20);
  const { id, workflowId } = await it.retries.start({ ...ALL_FAILURES, options });
  await eventually('it waits', async () => {
    const { counts, nextEvent } = await it.retries.show(id);
    return counts.scheduled === 20 && nextEvent.what === 'due';
  });
  it.receivers[0]?.switchTo(ok);
  return { ...it, id, workflowId };
}

describe('an operation that was accepted while Temporal could not be reached', () => {
  test('takes commands meanwhile, and runs by itself when Temporal is back', async () => {
    const proxy = await startTcpProxy(process.env.REDRIVE_TEST_TEMPORAL_ADDRESS ?? '', { open: false });
    const cutOff = await startTestEngine({ temporal: { address: proxy.address } });
    try {
      const it = await scene([ok], {}, cutOff);
      await it.seed(100);
      const since = performance.now();
      const run = await it.retries.start(ALL_FAILURES);
      expect(performance.now() - since).toBeLessThan(patient(1_500));
      expect(run).toMatchObject({ state: 'accepted', counts: { expected: 0 } });
      const other = await it.retries.start({ select: { filter: {} }, reason: 'to be cancelled' });
      expect(await it.retries.control(other.id, 'cancel')).toMatchObject({ state: 'closing' });
      expect(it.sent()).toBe(0);
      proxy.forward();
      expect(await it.retries.ended(run.id)).toMatchObject({
        state: 'completed',
        counts: { delivered: 100 },
      });
      expect(await it.retries.ended(other.id)).toMatchObject({ state: 'cancelled', counts: { expected: 0 } });
      expect(await temporal.runsOf(run.workflowId)).toBe(1);
    } finally {
      await cutOff.close();
      await proxy.close();
    }
  });
});

describe('a run that is gone', () => {
  test('is started again under the same id where it was terminated while it waited', async () => {
    const it = await waiting(60_000);
    await temporal.handle(it.workflowId).terminate('by hand');
    await itsTurn(it.id);
    await eventually('it runs again', async () => {
      const { status: run } = await temporal.handle(it.workflowId).describe();
      return run.name === 'RUNNING';
    });
    await engine.database.pool.query(
      `update executions set due_at = now() where operation_id = $1 and state = 'scheduled'`,
      [uuidIn('operation', it.id)],
    );
    await itsTurn(it.id);
    expect(await it.retries.ended(it.id)).toMatchObject({ state: 'completed', counts: { delivered: 20 } });
    expect(await temporal.runsOf(it.workflowId)).toBe(2);
    expect(it.sent()).toBe(40);
  });

  test('is started again where it was terminated in the middle, and nothing is sent twice', async () => {
    const it = await scene([slow(300)]);
    await it.seed(300);
    const { id, workflowId } = await it.retries.start(ALL_FAILURES);
    await eventually('it is under way', () => it.sent() > 40);
    await temporal.handle(workflowId).terminate('by hand');
    await itsTurn(id);
    expect(await it.retries.ended(id)).toMatchObject({ state: 'completed', counts: { delivered: 300 } });
    expect(it.sent()).toBe(300);
  });

  test('that is superfluous, because the operation has ended, ends by itself and changes nothing', async () => {
    const it = await scene([ok]);
    await it.seed(5);
    const { id, workflowId } = await it.retries.start(ALL_FAILURES);
    const ended = await it.retries.ended(id);
    await temporal.handle(workflowId).result();
    await temporal.client.workflow.execute('operation', {
      workflowId,
      taskQueue: `${engine.options.config.taskQueuePrefix}-bulk`,
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      args: [uuidIn('operation', id), `${engine.options.config.taskQueuePrefix}-interactive`],
    });
    expect(await it.retries.show(id)).toEqual(ended);
    expect(it.sent()).toBe(5);
  });
});

describe('a run whose history has become long', () => {
  test('goes on as a new one, as readable as before', async () => {
    const it = await waiting(60_000);
    const handle = temporal.handle(it.workflowId);
    const first = await handle.describe();
    // Temporal asks for a new run at 4 MB.
    for (let n = 0; n < 5; n++) await handle.signal('noise', 'x'.repeat(1_000_000));
    await it.retries.control(it.id, 'rate', { ratePerSecond: 500 });
    await eventually('it has begun again', async () => (await handle.describe()).runId !== first.runId, {
      withinMs: 30_000,
    });
    const second = await handle.describe();
    expect(await temporal.restlessSteps(it.workflowId)).toBeLessThan(10);
    const shown = second.typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]);
    expect(Object.fromEntries(shown)).toMatchObject({
      RedriveTenant: it.tenant.handle,
      RedriveKind: 'retry',
      RedriveState: 'running',
    });
    // Temporal gives the new run no summary; the details, which the run writes itself, say whose it is.
    await eventually('its details say which operation it is', async () => {
      const metadata = await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
      return metadata.currentDetails.includes(`Operation \`${it.id}\``);
    });
    expect(second.priority).toEqual(first.priority);
    await engine.database.pool.query(
      `update executions set due_at = now() where operation_id = $1 and state = 'scheduled'`,
      [uuidIn('operation', it.id)],
    );
    await itsTurn(it.id);
    expect(await it.retries.ended(it.id)).toMatchObject({ state: 'completed', counts: { delivered: 20 } });
  });
});

describe('a run that is cancelled in the Temporal UI', () => {
  test('cancels its operation, at once and in mid-slice', async () => {
    const answers = held();
    const it = await scene([answers], { timeoutMs: TIME_TO_ANSWER_MS });
    await it.seed(900);
    const { id, workflowId } = await it.retries.start(ALL_FAILURES);
    await eventually('it is under way', () => it.sent() > 0);
    await temporal.handle(workflowId).cancel();
    await eventually('it is told so', async () => (await it.retries.show(id)).control === 'cancel');
    answers.release(ok);
    const { counts } = await it.retries.reaches(id, ['cancelled'], 5_000);
    expect(counts).toMatchObject({ expected: 900, delivered: it.sent(), cancelled: 900 - it.sent() });
    // What was on the wire, of the slice that begins early and of the step's own, has its answer; nothing more went out.
    expect(it.sent()).toBeLessThanOrEqual(2 * 32);
  });

  test('cancels its operation while it waits', async () => {
    const it = await waiting(60_000);
    await temporal.handle(it.workflowId).cancel();
    const ended = await it.retries.ended(it.id, 5_000);
    expect(ended).toMatchObject({ state: 'cancelled', counts: { cancelled: 20 } });
    expect(it.sent()).toBe(20);
  });
});

describe('a command whose update was lost', () => {
  test('is seen', async () => {
    const it = await waiting(60_000);
    await engine.database.pool.query(
      `update operations set control = 'cancel', control_revision = control_revision + 1, state = 'closing' where id = $1`,
      [uuidIn('operation', it.id)],
    );
    await itsTurn(it.id);
    expect(await it.retries.ended(it.id, 5_000)).toMatchObject({
      state: 'cancelled',
      counts: { cancelled: 20 },
    });
  });
});

describe('an operation that waits', () => {
  test('is woken when nothing of it is left to wait for', async () => {
    const it = await waiting(60_000);
    const taking = await it.retries.start({
      select: { filter: { state: ['pending'] } },
      options: { takeOverScheduled: true },
    });
    expect(await it.retries.ended(taking.id)).toMatchObject({ counts: { delivered: 20 } });
    await itsTurn(it.id);
    expect(await it.retries.ended(it.id, 5_000)).toMatchObject({
      state: 'completed',
      counts: { superseded: 20 },
    });
  });

  test('is woken when its endpoint is disabled', async () => {
    const it = await waiting(60_000, { disabledPatienceMs: 0 });
    await engine.client.expect(200, 'POST', `/api/v1/endpoints/${it.endpoints[0].id}/disable`, {
      key: it.tenant.key,
    });
    await itsTurn(it.id);
    expect(await it.retries.ended(it.id, 5_000)).toMatchObject({
      state: 'completed_with_failures',
      counts: { ignored: 20 },
    });
  });

  test('is woken when its unknown outcomes have been settled', async () => {
    const it = await scene([hang], { onAmbiguous: 'hold', timeoutMs: 1_000 });
    await it.seed(3);
    const { id } = await it.retries.start(ALL_FAILURES);
    await eventually('it waits to be told', async () => {
      const { counts, nextEvent } = await it.retries.show(id);
      return counts.unknown === 3 && nextEvent.what === 'reconciled';
    });
    const resolve = (deliveryId: string | undefined, outcome: string) =>
      engine.client.expect(200, 'POST', `/api/v1/deliveries/${deliveryId}/resolve`, {
        key: it.tenant.key,
        body: { outcome, confirm: true },
      });
    const [first, second, third] = await it.ids();
    it.receivers[0]?.switchTo(ok);
    await resolve(first, 'delivered');
    await resolve(second, 'failed');
    await resolve(third, 'retry');
    await itsTurn(id);
    expect(await it.retries.ended(id, 8_000)).toMatchObject({
      state: 'completed_with_failures',
      counts: { delivered: 2, failed: 1, unknown: 0 },
    });
    expect(it.receivers[0]?.countOf((await it.retries.items(id, 'delivered'))[0].deliveryId)).toBeGreaterThan(
      0,
    );
    expect(it.sent()).toBe(4);
  });

  test('is looked at when its next event is long overdue', async () => {
    const it = await waiting(60_000);
    await engine.database.pool.query(
      `update executions set due_at = now() where operation_id = $1 and state = 'scheduled'`,
      [uuidIn('operation', it.id)],
    );
    await itsTurn(it.id, `, next_event = 'somewhere', next_event_at = now() - interval '31 seconds'`);
    expect(await it.retries.ended(it.id, 5_000)).toMatchObject({
      state: 'completed',
      counts: { delivered: 20 },
    });
  });

  test('for a human cancels itself when that takes too long', async () => {
    const it = await scene([slow(200)]);
    await it.seed(200);
    const { id } = await it.retries.start(ALL_FAILURES);
    await eventually('it is under way', () => it.sent() > 10);
    await it.retries.control(id, 'pause');
    await eventually('nothing is in flight', async () => (await it.retries.show(id)).counts.sending === 0);
    await engine.database.pool.query(`update operations set expires_at = now() where id = $1`, [
      uuidIn('operation', id),
    ]);
    await itsTurn(id);
    expect(await it.retries.ended(id, 5_000)).toMatchObject({
      state: 'cancelled',
      counts: { delivered: it.sent(), cancelled: 200 - it.sent() },
    });
  });
});

describe('an item that nobody sends in time', () => {
  test('is given up, with the reason', async () => {
    const it = await waiting(60_000);
    await engine.database.pool.query(
      `update executions set give_up_at = now() where operation_id = $1 and state = 'scheduled'`,
      [uuidIn('operation', it.id)],
    );
    await eventually('they are given up', async () => (await it.retries.show(it.id)).counts.failed === 20);
    await itsTurn(it.id);
    const ended = await it.retries.ended(it.id, 5_000);
    expect(ended).toMatchObject({ state: 'completed_with_failures', counts: { failed: 20 } });
    expect((await it.retries.items(it.id, 'failed'))[0]).toMatchObject({ reason: 'gave_up', attempts: 1 });
  });
});

describe('a lease that has ended', () => {
  test('is settled as an attempt that may have arrived, and sent again by the policy', async () => {
    const it = await scene([ok], { retry: { maxAttempts: 3, initialMs: 10, capMs: 10 } });
    await it.seed(1);
    const [deliveryId] = await it.ids();
    // As a sender leaves it that died: claimed, and its lease has passed.
    await engine.database.pool.query(
      `with e as (
        insert into executions (tenant_id, delivery_id, endpoint_id, parent_id, state, due_at, give_up_at)
        select tenant_id, delivery_id, endpoint_id, id, 'queued', now() + interval '1 hour', now() + interval '1 day'
        from executions where delivery_id = $1 returning id
      ) select id from e`,
      [deliveryId],
    );
    await engine.database.pool.query(
      `with taken as (
        update executions set state = 'sending', lease_token = '00000000-0000-7000-8000-00000000dead'
        where delivery_id = $1 and state = 'queued' returning id, lease_token
      )
      insert into claims (token, worked_by, lease_until, execution_ids)
      select lease_token, '00000000-0000-0000-0000-000000000000', now() - interval '1 second', array[id] from taken`,
      [deliveryId],
    );
    let delivery:
      | { state: string; executions: { attempts: unknown[]; mayHaveArrived: boolean }[] }
      | undefined;
    await eventually('it is delivered', async () => {
      const answer = await engine.client.expect(200, 'GET', `/api/v1/deliveries/${deliveryId}`, {
        key: it.tenant.key,
      });
      delivery = answer.body;
      return delivery?.state === 'delivered';
    });
    const last = delivery?.executions.at(-1);
    expect(last?.mayHaveArrived).toBe(true);
    expect(last?.attempts).toEqual([
      expect.objectContaining({ outcome: 'ambiguous', faultCode: 'lease_lost' }),
      expect.objectContaining({ outcome: 'delivered', resend: true }),
    ]);
    // The attempt that had failed before the retry counts for the delivery, too.
    expect(it.receivers[0]?.requests[0]?.headers).toMatchObject({
      'redrive-attempt': '3',
      'redrive-execution-attempt': '2',
    });
  });
});
