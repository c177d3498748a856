import { describe, expect, test } from '@jest/globals';
import { useCli } from '../../support/cli/use-cli.ts';
import type { Scene } from '../../support/engine/recovery-scene.ts';
import { useEngine, useScenes } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { ok, reset } from '../../support/receivers/receiver-behaviour.ts';

/** What nobody knows of is settled as it was said and confirmed, and nothing else is. */

const engine = useEngine();
const scene = useScenes(engine);
const cli = useCli();

const as = (key: string) => ({ url: engine.service.url ?? '', key });
const SETTLE = ['deliveries', 'resolve', '-o', 'json', '--reason', 'a look'];

/** A tenant with so many deliveries whose outcome nobody knows. */
async function unknown(count: number): Promise<Scene> {
  const it = await scene([reset], { onAmbiguous: 'hold' });
  for (let n = 0; n < count; n += 1)
    await engine.client.expect(202, 'POST', '/api/v1/events', {
      key: it.tenant.key,
      body: { type: 'a', payload: { n } },
    });
  await eventually('nobody knows', async () => (await it.ids("state = 'unknown'")).length === count);
  return it;
}

describe('many', () => {
  test('exit 3: are sent again by a yes alone, for they may arrive twice', async () => {
    const it = await unknown(3);
    const again = [...SETTLE, '--since', '1h', '--outcome', 'retry', '--yes'];
    expect(await cli.run(as(it.tenant.key), again)).toMatchObject({
      code: 3,
      stdout: '',
      stderr: expect.stringContaining('say --accept-duplicates'),
    });
    expect(await it.ids("state = 'unknown'")).toHaveLength(3);
    it.receivers[0]?.switchTo(ok);
    const sent = await cli.run(as(it.tenant.key), [...again, '--accept-duplicates']);
    expect(sent.code).toBe(0);
    // One value, whatever the number of calls.
    expect(JSON.parse(sent.stdout)).toEqual({
      outcome: 'retry',
      resolved: 3,
      notUnknown: 0,
      notSendable: 0,
      acts: [expect.stringMatching(/^rsl_/)],
    });
    await eventually('they arrive', async () => (await it.ids("state = 'delivered'")).length === 3);
  });

  test('are those whose outcome is unknown, and nothing else', async () => {
    const it = await unknown(2);
    await it.seed(4);
    const failed = [...SETTLE, '--since', '2h', '--outcome', 'failed'];
    expect(await cli.run(as(it.tenant.key), failed)).toMatchObject({ code: 3 });
    expect(await cli.run(as(it.tenant.key), [...failed, '--confirm-items', '6'])).toMatchObject({ code: 3 });
    const { code, stdout, stderr } = await cli.run(as(it.tenant.key), [...failed, '--confirm-items', '2']);
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('state unknown') });
    expect(JSON.parse(stdout)).toMatchObject({ resolved: 2 });
    const none = await cli.run(as(it.tenant.key), [...failed, '--yes']);
    expect(none.code).toBe(0);
    expect(JSON.parse(none.stdout)).toEqual({
      outcome: 'failed',
      resolved: 0,
      notUnknown: 0,
      notSendable: 0,
      acts: [],
    });
  });
});

test('exit 3: one is sent again only where somebody says that it may arrive twice', async () => {
  const it = await unknown(1);
  const { stdout } = await cli.run(as(it.tenant.key), ['deliveries', 'list', '-o', 'json']);
  const one = ['deliveries', 'resolve', JSON.parse(stdout)[0].id, '--outcome', 'retry', '--yes'];
  expect(await cli.run(as(it.tenant.key), one)).toMatchObject({ code: 3 });
  it.receivers[0]?.switchTo(ok);
  expect(await cli.run(as(it.tenant.key), [...one, '--accept-duplicates'])).toMatchObject({ code: 0 });
});

test('a list that is cut says so, also where it is to be quiet', async () => {
  const it = await scene([ok]);
  await it.seed(60);
  const list = ['deliveries', 'list', '-q', '-o', 'ndjson'];
  const cut = await cli.run(as(it.tenant.key), list);
  expect(cut).toMatchObject({ code: 0, stderr: 'The first 50 lines: --limit all shows all.\n' });
  expect(cut.stdout.trim().split('\n')).toHaveLength(50);
  // Whoever says how many knows it.
  expect(await cli.run(as(it.tenant.key), [...list, '--limit', '10'])).toMatchObject({ stderr: '' });
});
