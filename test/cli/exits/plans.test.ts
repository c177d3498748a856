import { describe, expect, test } from '@jest/globals';
import { useCli } from '../../support/cli/use-cli.ts';
import { useEngine, useScenes } from '../../support/engine/use-engine.ts';
import { ok } from '../../support/receivers/receiver-behaviour.ts';

/** What is asked of whoever executes a plan, and what is said of one that nobody can execute any more. */

const engine = useEngine();
const scene = useScenes(engine);
const cli = useCli();

const as = (key: string) => ({ url: engine.service.url ?? '', key });
const JSON_OUT = ['-o', 'json'];

test('exit 3: what is delivered is sent again only where that is accepted, with a new identity, too', async () => {
  const it = await scene([ok]);
  const run = (...args: string[]) => cli.run(as(it.tenant.key), ['retry', 'run', ...args]);
  await it.seed(4);
  expect(await run('--all-failed', '--yes', '--wait')).toMatchObject({ code: 0 });
  const replay = ['--state', 'delivered', '--replay', '--yes'];
  for (const how of [replay, [...replay, '--new-identity']]) {
    const refused = await run(...how);
    expect(refused).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('4 deliveries may arrive twice'),
    });
    expect(refused.stderr).toContain('next: say --accept-duplicates');
  }
  expect(it.sent()).toBe(4);
  const accepted = await run(...replay, '--new-identity', '--accept-duplicates', '--wait');
  expect(accepted).toMatchObject({ code: 0, stderr: expect.stringContaining('replay with a new identity') });
  expect(it.sent()).toBe(8);
});

describe('a plan', () => {
  test('exit 2: that has ended says so, and asks nobody for anything', async () => {
    const it = await scene([ok]);
    await it.seed(3);
    const run = (...args: string[]) => cli.run(as(it.tenant.key), ['retry', ...args]);
    const { id } = JSON.parse((await run('plan', '--all-failed', ...JSON_OUT)).stdout);
    expect(await run('cancel', id)).toMatchObject({ code: 0 });
    const shown = await run('get', id);
    expect(shown).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/state +(closing|cancelled): somebody cancelled it/),
    });
    const executed = await run('execute', id);
    expect(executed).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/it is (closing|cancelled): somebody cancelled it/),
    });
    expect(executed.stderr).toContain('next: make another: redrive retry plan');
    expect(it.sent()).toBe(0);
  });

  test('exit 0: of nothing leads nowhere', async () => {
    const it = await scene([ok]);
    const run = (...args: string[]) => cli.run(as(it.tenant.key), ['retry', ...args]);
    const plan = await run('plan', '--all-failed', ...JSON_OUT);
    expect(plan).toMatchObject({ code: 0, stderr: expect.stringContaining('nothing to send') });
    expect(plan.stderr).not.toContain('Run it by');
    const executed = await run('execute', JSON.parse(plan.stdout).id);
    expect(executed).toMatchObject({ code: 0, stderr: expect.stringContaining('nothing to send') });
  });

  test('exit 0: and its operation are two spellings of one id, wherever one is asked for', async () => {
    const it = await scene([ok]);
    await it.seed(3);
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await cli.run(as(it.tenant.key), ['retry', ...args, ...JSON_OUT]);
      expect({ args, code, stderr }).toMatchObject({ code: 0 });
      return JSON.parse(stdout);
    };
    const plan = await run('plan', '--all-failed');
    const { id, operationId } = plan;
    const listed = await cli.run(as(it.tenant.key), ['retry', 'list']);
    expect(listed.stdout).toMatch(new RegExp(`${operationId} +retry +planned +3 `));
    // The operation of a plan is the plan.
    expect(await run('execute', operationId, '--hash', plan.planHash, '--yes', '--wait')).toMatchObject({
      id: operationId,
    });
    expect(await run('watch', id)).toMatchObject({ id: operationId, state: 'completed' });
    expect(await run('report', id)).toMatchObject({ operationId });
    for (const word of ['endpoints', 'samples', 'workflow', 'addenda']) await run(word, id);
    expect(await run('plan', '--failures-of', id)).toMatchObject({ select: { failuresOf: operationId } });
  });
});
