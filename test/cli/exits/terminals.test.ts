import { describe, expect, test } from '@jest/globals';
import { useCli } from '../../support/cli/use-cli.ts';
import { useEngine, useScenes } from '../../support/engine/use-engine.ts';
import { ok } from '../../support/receivers/receiver-behaviour.ts';

/** What somebody sees who sits in front of it: a terminal of Python's, for a pipe is none. */

const engine = useEngine();
const scene = useScenes(engine);
const cli = useCli();

const as = (key: string) => ({ url: engine.service.url ?? '', key });
const XTERM = { env: { TERM: 'xterm-256color' } };
const RUN = ['retry', 'run', '--all-failed', '--wait'];

const ESCAPE = '\u001b[';

describe('a run', () => {
  test('exit 0: asks, is told yes, and draws one block again and again', async () => {
    const it = await scene([ok]);
    await it.seed(40);
    const run = cli.onTerminal(as(it.tenant.key), [...RUN, '--rate', '20'], XTERM);
    await run.says('Send 40 deliveries to 1 endpoint? [y/N]');
    expect(it.sent()).toBe(0);
    run.process.stdin.write('y\r');
    const { code, stdout } = await run.ended;
    expect(code).toBe(0);
    expect(stdout).toContain('█');
    // The cursor goes up by the lines of the block, which is drawn in its place.
    expect(stdout).toContain(`${ESCAPE}4A${ESCAPE}J`);
    expect(stdout).toMatch(/= delivered +40/);
    expect(it.sent()).toBe(40);
  });

  test('says how many the plan has, and how many of them are sent', async () => {
    const it = await scene([ok, ok]);
    await it.seed(10);
    await engine.client.expect(200, 'POST', `/api/v1/endpoints/${it.endpoints[1].id}/disable`, {
      key: it.tenant.key,
    });
    const run = cli.onTerminal(as(it.tenant.key), RUN, XTERM);
    await run.says('Run the plan of 10 deliveries, of which 5 are sent, to 2 endpoints? [y/N]');
    run.process.stdin.write('n\r');
    expect(await run.ended).toMatchObject({ code: 3 });
  });

  test('exit 0: erases none of the data that comes to the same terminal', async () => {
    const it = await scene([ok]);
    await it.seed(20);
    const ndjson = [...RUN, '--yes', '--rate', '20', '-o', 'ndjson'];
    const { code, stdout } = await cli.onTerminal(as(it.tenant.key), ndjson, XTERM).ended;
    expect(code).toBe(0);
    expect(stdout).not.toContain(`${ESCAPE}J`);
    expect(stdout).toMatch(/\{"id":"op_.*"state":"completed"/);
  });

  test('exit 3: is told no, or nothing at all', async () => {
    const it = await scene([ok]);
    await it.seed(3);
    for (const answer of ['n\r', '\r', '\u0004']) {
      const run = cli.onTerminal(as(it.tenant.key), RUN, XTERM);
      await run.says('[y/N]');
      run.process.stdin.write(answer);
      const { code, stdout } = await run.ended;
      expect(code).toBe(3);
      expect(stdout).toContain('the plan is kept: redrive retry execute pln_');
    }
    expect(it.sent()).toBe(0);
  });

  test('exit 130: Ctrl-C that is typed detaches', async () => {
    const it = await scene([ok]);
    await it.seed(20);
    const run = cli.onTerminal(as(it.tenant.key), [...RUN, '--yes', '--rate', '0.05'], XTERM);
    await run.says('running');
    run.process.stdin.write('\u0003');
    const { code, stdout } = await run.ended;
    expect(code).toBe(130);
    const [, id = ''] = /Come back by: redrive retry watch (op_\S+)/.exec(stdout) ?? [];
    expect((await it.retries.show(id)).state).toBe('running');
    await it.retries.control(id, 'cancel');
  });
});

describe('colours', () => {
  test.each([
    ['a terminal has them', { TERM: 'xterm-256color' }, true],
    ['NO_COLOR takes them away', { TERM: 'xterm-256color', NO_COLOR: '1' }, false],
    ['a dumb terminal has none', { TERM: 'dumb' }, false],
  ])('%s', async (_, env, has) => {
    const { stdout } = await cli.onTerminal({ url: 'http://127.0.0.1:9', key: 'k' }, ['retry', 'run'], {
      env,
    }).ended;
    expect(stdout).toContain('Nothing is selected');
    expect(stdout.includes(`${ESCAPE}31m`)).toBe(has);
  });

  test('a pipe has none, and no character that draws', async () => {
    const it = await scene([ok]);
    await it.seed(5);
    const { stdout, stderr } = await cli.run(as(it.tenant.key), [...RUN, '--yes'], XTERM);
    expect(`${stdout}${stderr}`).not.toContain('\u001b');
  });
});

test('what others have written does nothing to a terminal, in a table and as JSON', async () => {
  const it = await scene([ok]);
  const evil = 'k\u202e\u200bevil';
  await engine.client.expect(202, 'POST', '/api/v1/events', {
    key: it.tenant.key,
    body: { type: 'a', key: evil, payload: {} },
  });
  for (const form of ['table', 'json', 'ndjson']) {
    const shown = await cli.onTerminal(as(it.tenant.key), ['events', 'list', '-o', form], XTERM).ended;
    expect(shown.code).toBe(0);
    expect(shown.stdout).toContain('\\u202e');
    expect(shown.stdout).not.toMatch(/[\u202e\u200b]/);
  }
  // A program gets what was sent.
  const piped = await cli.run(as(it.tenant.key), ['events', 'list', '-o', 'json']);
  expect(JSON.parse(piped.stdout)[0].key).toBe(evil);
});
