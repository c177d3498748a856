import { describe, expect, test } from '@jest/globals';
import { govern } from '../../support/api/governed.ts';
import { useCli } from '../../support/cli/use-cli.ts';
import { useEngine, useScenes } from '../../support/engine/use-engine.ts';
import { ok } from '../../support/receivers/receiver-behaviour.ts';

/** What a policy asks for before anything is sent, and the commands that give it. */

const engine = useEngine();
const scene = useScenes(engine);
const cli = useCli();

const RUN = ['retry', 'run', '--all-failed', '--yes', '--wait', '-o', 'json'];

const as = (key: string) => ({ url: engine.service.url ?? '', key });

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
    const asked = cli.onTerminal(approver, ['retry', 'approve', id.replace('op_', 'pln_')]);
    await asked.says('Approve it?');
    expect(asked.stdout()).toMatch(/selected +failed deliveries, everything\s+kind +retry\s/);
    asked.process.stdin.write('n\r');
    expect(await asked.ended).toMatchObject({ code: 3 });
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

  test('exit 10: words that are missing are named, with the command that gives them', async () => {
    const it = await scene([ok]);
    await it.seed(5);
    await govern(engine, it.tenant).set({ reasonAbove: 1, ticketPattern: 'OPS-\\d+' });
    for (const wait of [RUN, RUN.filter((word) => word !== '--wait')]) {
      const waiting = await cli.run(as(it.tenant.key), wait);
      expect(waiting.code).toBe(10);
      const { id } = JSON.parse(waiting.stdout);
      // Nobody has to approve it.
      expect(waiting.stderr).not.toContain('retry approve');
      expect(waiting.stderr).toContain(`redrive retry explain ${id} --reason … --ticket …`);
      if (wait === RUN) await it.retries.control(id, 'cancel');
    }
    const [{ id }] = JSON.parse((await cli.run(as(it.tenant.key), ['retry', 'list', '-o', 'json'])).stdout);
    expect(await cli.run(as(it.tenant.key), ['retry', 'explain', id])).toMatchObject({ code: 2 });
    const words = ['--reason', 'the outage is over', '--ticket', 'OPS-42'];
    expect(await cli.run(as(it.tenant.key), ['retry', 'explain', id, ...words])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/ticket +OPS-42/),
    });
    expect(await cli.run(as(it.tenant.key), ['retry', 'watch', id])).toMatchObject({ code: 0 });
    expect(it.sent()).toBe(5);
  });

  test('exit 0: an emergency lets it run at once, by the flag or the command, and not for everybody', async () => {
    const it = await scene([ok]);
    await it.seed(5);
    const by = govern(engine, it.tenant);
    await by.set({ approveAbove: 1 });
    const waiting = await cli.run(as(it.tenant.key), RUN);
    const { id } = JSON.parse(waiting.stdout);
    const emergency = ['retry', 'emergency', id, 'the shop is closed'];
    expect(await cli.run(as(it.tenant.key), emergency)).toMatchObject({ code: 4 });
    const alice = as(await by.person('alice', ['approve:emergency', 'read:deliveries', 'write:deliveries']));
    expect(await cli.run(alice, emergency)).toMatchObject({ code: 0 });
    expect(await cli.run(alice, ['retry', 'watch', id])).toMatchObject({ code: 0 });
    expect(it.sent()).toBe(5);

    await it.seed(5);
    expect(await cli.run(alice, [...RUN, '--emergency'])).toMatchObject({ code: 2 });
    const at = [...RUN, '--emergency', '--reason', 'the shop is closed'];
    expect(await cli.run(alice, at)).toMatchObject({ code: 0 });
    expect(it.sent()).toBe(10);
  });
});
