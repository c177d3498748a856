import { describe, expect, test } from '@jest/globals';
import { govern } from '../../support/api/governed.ts';
import { useCli } from '../../support/cli/use-cli.ts';
import { useEngine, useScenes } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { hang, ok, status } from '../../support/receivers/receiver-behaviour.ts';
import { startTcpProxy } from '../../support/receivers/tcp-proxy.ts';

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
    const { code, stderr, stdout } = await cli.run(as(it.tenant.key), [
      ...RUN,
      '--rate',
      '0.05',
      '--timeout',
      '1s',
    ]);
    expect(code).toBe(8);
    const { id } = JSON.parse(stdout);
    expect(stderr).toContain(`Come back by: redrive retry watch ${id}`);
    await it.retries.reaches(id, ['running']);
    await it.retries.control(id, 'cancel');
  });

  test('exit 130: Ctrl-C detaches, says how to come back, and the operation goes on', async () => {
    const it = await scene([ok]);
    await it.seed(20);
    const run = cli.start(as(it.tenant.key), [...RUN, '--rate', '0.05']);
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
    expect({ code, stderr }).toMatchObject({ code: 3, stderr: expect.stringContaining('the plan is of 5') });
    expect(it.sent()).toBe(0);
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
});

describe('under a policy', () => {
  test('exit 10: it waits for approval, and goes on when it is approved by somebody else; exit 7: or is rejected', async () => {
    const it = await scene([ok]);
    await it.seed(5);
    const by = govern(engine, it.tenant);
    await by.set({ approveAbove: 1 });
    const waiting = await cli.run(as(it.tenant.key), RUN);
    expect({ code: waiting.code, sent: it.sent() }).toEqual({ code: 10, sent: 0 });
    const { id } = JSON.parse(waiting.stdout);
    expect(waiting.stderr).toContain(`redrive retry approve ${id}`);

    const approver = as(await by.person('bob', ['approve:retries', 'read:deliveries']));
    // An approval names what it approves where nobody can be shown it.
    const blind = await cli.run(approver, ['retry', 'approve', id]);
    expect(blind.code).toBe(3);
    const [, hash = ''] = /--hash (\S+)/.exec(blind.stderr) ?? [];
    expect(await cli.run(approver, ['retry', 'approve', id, '--hash', 'f'.repeat(64)])).toMatchObject({
      code: 9,
    });
    expect(await cli.run(approver, ['retry', 'approve', id, '--hash', hash])).toMatchObject({ code: 0 });
    expect(await cli.run(as(it.tenant.key), ['retry', 'watch', id])).toMatchObject({ code: 0 });
    expect(it.sent()).toBe(5);

    await it.seed(5);
    const other = cli.start(as(it.tenant.key), [...RUN, '--through-approval']);
    await other.says('awaiting_approval');
    const [next] = JSON.parse(
      (await cli.run(approver, ['retry', 'list', '--state', 'awaiting_approval', '-o', 'json'])).stdout,
    );
    expect(await cli.run(approver, ['retry', 'reject', next.id, 'not tonight'])).toMatchObject({ code: 0 });
    expect(await other.ended).toMatchObject({ code: 7 });
    expect(it.sent()).toBe(5);
  });
});

describe('a connection that breaks', () => {
  test('in the middle of a watch is made again, and the exit code is that of the operation', async () => {
    const it = await scene([ok]);
    await it.seed(20);
    const { port } = new URL(engine.service.url ?? '');
    const proxy = await startTcpProxy(`127.0.0.1:${port}`);
    try {
      const there = { url: `http://${proxy.address}`, key: it.tenant.key };
      const run = cli.start(there, [...RUN, '--rate', '0.05']);
      await run.says('running:');
      proxy.cut();
      await run.says('The connection was lost');
      const [{ id }] = JSON.parse((await cli.run(as(it.tenant.key), ['retry', 'list', '-o', 'json'])).stdout);
      await it.retries.control(id, 'rate', { ratePerSecond: null });
      proxy.forward();
      const { code, stdout } = await run.ended;
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ id, state: 'completed' });
    } finally {
      await proxy.close();
    }
  });

  test('exit 1: and for longer than --patience is given up; the same command joins the operation that goes on', async () => {
    const it = await scene([ok]);
    await it.seed(20);
    const { port } = new URL(engine.service.url ?? '');
    const proxy = await startTcpProxy(`127.0.0.1:${port}`);
    try {
      const there = { url: `http://${proxy.address}`, key: it.tenant.key };
      const args = [...RUN, '--rate', '2', '--patience', '1s'];
      const run = cli.start(there, args);
      await run.says('running:');
      proxy.cut();
      const { code, stderr } = await run.ended;
      expect(code).toBe(1);
      const [, id = ''] = /redrive retry watch (op_\S+)/.exec(stderr) ?? [];
      proxy.forward();
      const again = await cli.run(there, args);
      expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining(`it joins ${id}`) });
      expect(JSON.parse(again.stdout)).toMatchObject({ id, counts: { delivered: 20 } });
      expect(it.sent()).toBe(20);
      // Its outcome is told: the same command is a new run from now on.
      expect(await cli.run(there, args)).toMatchObject({
        stderr: expect.stringContaining('Nothing matches'),
      });
    } finally {
      await proxy.close();
    }
  });

  test('exit 1: in the middle of a list is no list that has ended', async () => {
    const it = await scene([ok]);
    await it.seed(20_000);
    const { port } = new URL(engine.service.url ?? '');
    const proxy = await startTcpProxy(`127.0.0.1:${port}`);
    try {
      const run = cli.start({ url: `http://${proxy.address}`, key: it.tenant.key }, ['deliveries', 'export']);
      run.process.stdout.once('data', () => proxy.cut());
      const { code, stderr } = await run.ended;
      expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('not all of it') });
    } finally {
      await proxy.close();
    }
  });

  test('exit 4: or whose key has ended meanwhile is not made again', async () => {
    const it = await scene([ok]);
    await it.seed(20);
    const run = cli.start(as(it.tenant.key), [...RUN, '--rate', '0.05']);
    await run.says('running:');
    await engine.database.pool.query(
      'update api_keys set expires_at = now() where tenant_id = (select id from tenants where handle = $1)',
      [it.tenant.handle],
    );
    const { code, stderr } = await run.ended;
    expect(code).toBe(4);
    expect(stderr).toContain('credential_expired');
  });
});

test('exit 141: a reader that has seen enough ends a long list', async () => {
  const it = await scene([ok]);
  await it.seed(5_000);
  const run = cli.start(as(it.tenant.key), ['deliveries', 'export', '--state', 'failed']);
  run.process.stdout.once('data', () => run.process.stdout.destroy());
  expect(await run.ended).toMatchObject({ code: 141 });
});
