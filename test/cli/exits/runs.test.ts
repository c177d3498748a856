import { describe, expect, test } from '@jest/globals';
import { useCli } from '../../support/cli/use-cli.ts';
import { useEngine, useScenes } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { hang, ok, status } from '../../support/receivers/receiver-behaviour.ts';

/** How a run ends is its exit code: each of them against the whole service, by the built command line. */

const engine = useEngine();
const scene = useScenes(engine);
const cli = useCli();

const RUN = ['retry', 'run', '--all-failed', '--yes', '--wait', '-o', 'json'];

/** Where the service is, and whose key it is. */
function as(key: string) {
  return { url: engine.service.url ?? '', key };
}

describe('a run under --wait', () => {
  test('exit 0: everything that was selected is delivered', async () => {
    const it = await scene([ok]);
    await it.seed(30);
    const { code, stdout, stderr } = await cli.run(as(it.tenant.key), RUN);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(JSON.parse(stdout)).toMatchObject({ state: 'completed', counts: { expected: 30, delivered: 30 } });
    expect(it.sent()).toBe(30);
    // Standard error has the plan, what was selected, and how to get the report.
    expect(stderr).toContain('Selected: failed deliveries, everything.');
    expect(stderr).toMatch(/deliveries +30\n/);
    expect(stderr).toMatch(/secretRotated +30/);
    expect(stderr).toContain(`redrive retry report ${JSON.parse(stdout).id} --signed`);
  });

  test('exit 0: nothing matches, and that is said', async () => {
    const it = await scene([ok]);
    const { code, stderr } = await cli.run(as(it.tenant.key), RUN);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('Nothing matches') });
  });

  test('exit 5: it completed with failures', async () => {
    const it = await scene([ok, status(400)]);
    await it.seed(10);
    const { code, stdout } = await cli.run(as(it.tenant.key), RUN);
    expect(code).toBe(5);
    expect(JSON.parse(stdout)).toMatchObject({
      state: 'completed_with_failures',
      counts: { delivered: 5, failed: 5 },
    });
  });

  test('exit 6: a canary halts it', async () => {
    const it = await scene([status(400)]);
    await it.seed(40);
    const { code, stdout, stderr } = await cli.run(as(it.tenant.key), [...RUN, '--canary', '5:10%']);
    expect(code).toBe(6);
    const { id, state, halt } = JSON.parse(stdout);
    expect({ state, halt }).toMatchObject({
      state: 'halted',
      halt: { reason: 'canary', endpoints: [{ attempts: 5, bad: 5 }] },
    });
    expect(stderr).toContain('halted: canary: 5 of 5 went wrong, more than 10 %');
    expect(stderr).toContain(`redrive retry resume ${id}`);
    expect(it.sent()).toBe(5);
  });

  test('exit 7: somebody cancels it', async () => {
    const it = await scene([hang]);
    await it.seed(200);
    const run = cli.start(as(it.tenant.key), [...RUN, '--concurrency', '1']);
    await eventually('it sends', () => it.sent() > 0);
    const [{ id }] = JSON.parse((await cli.run(as(it.tenant.key), ['retry', 'list', '-o', 'json'])).stdout);
    const cancelled = await cli.run(as(it.tenant.key), ['retry', 'cancel', id]);
    expect(cancelled).toMatchObject({ code: 0 });
    it.receivers[0]?.switchTo(status(400));
    expect(await run.ended).toMatchObject({ code: 7 });
  });

  test('exit 8: it is still running at --timeout, and goes on', async () => {
    const it = await scene([ok]);
    await it.seed(100);
    const slow = ['retry', 'plan', '--all-failed', '--rate', '0.05', '-o', 'json'];
    const plan = JSON.parse((await cli.run(as(it.tenant.key), slow)).stdout);
    const execute = ['retry', 'execute', plan.id, '--hash', plan.planHash, '--yes', '--wait', '-o', 'json'];
    const { code, stderr, stdout } = await cli.run(as(it.tenant.key), [...execute, '--timeout', '1s']);
    expect(code).toBe(8);
    const { id } = JSON.parse(stdout);
    expect(stderr).toContain(`Come back by: redrive retry watch ${id}`);
    await it.retries.reaches(id, ['running']);
    await it.retries.control(id, 'cancel');
  });

  test('exit 8: a plan that is not made by then is kept, and nothing is sent', async () => {
    const it = await scene([ok]);
    await it.seed(100);
    const { code, stderr, stdout } = await cli.run(as(it.tenant.key), [...RUN, '--timeout', '1ms']);
    expect({ code, stdout }).toEqual({ code: 8, stdout: '' });
    const [, plan = ''] = /next: redrive retry get (pln_\S+)/.exec(stderr) ?? [];
    expect(stderr).toContain(`Nothing was sent. The plan ${plan} is kept`);
    expect(await cli.run(as(it.tenant.key), ['retry', 'get', plan])).toMatchObject({ code: 0 });
    expect(it.sent()).toBe(0);
  });

  test('exit 130: Ctrl-C detaches, says how to come back, and the operation goes on', async () => {
    const it = await scene([ok]);
    await it.seed(20);
    // Longer than a timer of Node takes.
    const long = ['--timeout', '4w', '--patience', '4w'];
    const run = cli.start(as(it.tenant.key), [...RUN, '--rate', '0.05', ...long]);
    await run.says('running:');
    run.process.kill('SIGINT');
    const { code, stderr } = await run.ended;
    expect(code).toBe(130);
    const [, id = ''] = /Come back by: redrive retry watch (op_\S+)/.exec(stderr) ?? [];
    expect((await it.retries.show(id)).state).toBe('running');
    await it.retries.control(id, 'rate', { ratePerSecond: null });
    // Coming back says how it ended.
    expect(await cli.run(as(it.tenant.key), ['retry', 'watch', id])).toMatchObject({ code: 0 });
  });

  test('exit 143: SIGTERM detaches alike', async () => {
    const it = await scene([ok]);
    await it.seed(20);
    const run = cli.start(as(it.tenant.key), [...RUN, '--rate', '0.05']);
    await run.says('running:');
    run.process.kill('SIGTERM');
    expect(await run.ended).toMatchObject({ code: 143, stderr: expect.stringContaining('Detached') });
  });
});

describe('a run that is not confirmed', () => {
  test('exit 3: without a terminal and without --yes nothing is sent, and nothing hangs', async () => {
    const it = await scene([ok]);
    await it.seed(5);
    const { code, stdout, stderr } = await cli.run(as(it.tenant.key), [
      'retry',
      'run',
      '--all-failed',
      '--wait',
    ]);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toContain('there is no terminal');
    expect(stderr).toContain('next: say --yes');
    expect(it.sent()).toBe(0);
  });

  test('exit 3: another number than that of the plan', async () => {
    const it = await scene([ok]);
    await it.seed(5);
    const { code, stderr } = await cli.run(as(it.tenant.key), [...RUN, '--confirm-items', '4']);
    expect({ code, stderr }).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('it is about 5 deliveries'),
    });
    expect(it.sent()).toBe(0);
  });

  test('exit 3: what may arrive twice is accepted by name', async () => {
    const it = await scene([ok]);
    await it.seed(5);
    await engine.database.pool.query(
      'update executions set may_have_arrived = true where tenant_id = (select id from tenants where handle = $1)',
      [it.tenant.handle],
    );
    const refused = await cli.run(as(it.tenant.key), RUN);
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('say --accept-duplicates') });
    expect(refused.stderr).toContain('5 deliveries may arrive twice');
    expect(it.sent()).toBe(0);
    expect(await cli.run(as(it.tenant.key), [...RUN, '--accept-duplicates'])).toMatchObject({ code: 0 });
    expect(it.sent()).toBe(5);
  });

  test('exit 0: --dry-run stops after the plan, which can be executed by its hash', async () => {
    const it = await scene([ok]);
    await it.seed(5);
    const dry = await cli.run(as(it.tenant.key), ['retry', 'run', '--all-failed', '--dry-run', '-o', 'json']);
    expect(dry.code).toBe(0);
    const { id, planHash, count } = JSON.parse(dry.stdout);
    expect(count).toMatchObject({ items: 5, sends: 5 });
    expect(it.sent()).toBe(0);
    const executed = ['retry', 'execute', id, '--hash', planHash, '--yes', '--wait'];
    expect(await cli.run(as(it.tenant.key), executed)).toMatchObject({ code: 0 });
    expect(it.sent()).toBe(5);
    // A second execution is the first one.
    expect(await cli.run(as(it.tenant.key), executed)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('It was executed before'),
    });
    expect(it.sent()).toBe(5);
  });
});

describe('a plan that is not what it was', () => {
  test('exit 9: another hash', async () => {
    const it = await scene([ok]);
    await it.seed(5);
    const planned = await cli.run(as(it.tenant.key), ['retry', 'plan', '--all-failed', '-o', 'json']);
    const { id } = JSON.parse(planned.stdout);
    const other = await cli.run(as(it.tenant.key), [
      'retry',
      'execute',
      id,
      '--hash',
      'f'.repeat(64),
      '--yes',
    ]);
    expect(other).toMatchObject({ code: 9, stderr: expect.stringContaining('Nothing was sent') });
    expect(it.sent()).toBe(0);
  });

  test('exit 9: more of it is gone than --max-drift allows', async () => {
    const it = await scene([ok]);
    await it.seed(4);
    const planned = await cli.run(as(it.tenant.key), ['retry', 'plan', '--all-failed', '-o', 'json']);
    const { id, planHash } = JSON.parse(planned.stdout);
    const [one = ''] = await it.ids();
    await it.retries.start({ select: { deliveryIds: [one] } });
    await eventually('one is delivered', () => it.sent() === 1);
    await eventually('and recorded', async () => (await it.ids("state = 'delivered'")).length === 1);
    const drifted = await cli.run(as(it.tenant.key), [
      'retry',
      'execute',
      id,
      '--hash',
      planHash,
      '--yes',
      '--max-drift',
      '5%',
    ]);
    expect(drifted).toMatchObject({ code: 9, stderr: expect.stringContaining('drift_too_large') });
    expect(drifted.stderr).toContain('1 are gone: already_delivered');
    expect(it.sent()).toBe(1);
  });

  // Of more than 20,000 the workflow measures it, behind the answer.
  test('exit 9: or of a plan that is too long to be measured at once, also where nobody waits for its end', async () => {
    const it = await scene([ok, ok]);
    await it.seed(20_001, [0]);
    const planned = await cli.run(as(it.tenant.key), ['retry', 'plan', '--all-failed', '-o', 'json']);
    const { id, planHash } = JSON.parse(planned.stdout);
    const execute = ['retry', 'execute', id, '--hash', planHash, '--max-drift', '5%'];
    // Above 10,000 a yes is not enough.
    expect(await cli.run(as(it.tenant.key), [...execute, '--yes'])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('say --confirm-items 20001'),
    });
    await engine.client.expect(200, 'PATCH', `/api/v1/endpoints/${it.endpoints[0].id}`, {
      key: it.tenant.key,
      body: { url: it.receivers[1]?.url('/elsewhere') },
    });
    const numbered = [...execute, '--confirm-items', '20001'];
    for (const args of [numbered, [...numbered, '--wait']])
      expect(await cli.run(as(it.tenant.key), args)).toMatchObject({
        code: 9,
        stdout: '',
        stderr: expect.stringContaining('Nothing was sent, and the plan stays'),
      });
    expect(it.sent()).toBe(0);
  });
});

test('exit 141: a reader that has seen enough ends a long list', async () => {
  const it = await scene([ok]);
  await it.seed(5_000);
  const run = cli.start(as(it.tenant.key), ['deliveries', 'export', '--state', 'failed']);
  run.process.stdout.once('data', () => run.process.stdout.destroy());
  expect(await run.ended).toMatchObject({ code: 141 });
});
