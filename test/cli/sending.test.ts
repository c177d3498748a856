import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { useCli } from '../support/cli/use-cli.ts';
import { useEngine, useScenes } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { ok } from '../support/receivers/receiver-behaviour.ts';
import { startTcpProxy } from '../support/receivers/tcp-proxy.ts';

const engine = useEngine();
const scene = useScenes(engine);
const cli = useCli();

const as = (key: string, url = engine.service.url ?? '') => ({ url, key });

async function file(name: string, text: string): Promise<string> {
  const path = join(cli.home, name);
  await writeFile(path, text);
  return path;
}

/** JSON that is another once it was parsed and written again. */
const EXACT = '{ "id":12345678901234567890, "price" : 1.0,"a":1,"a":2, "\\u0041": "\\u002f" }';

describe('a payload', () => {
  test.each([
    ['of an array', `[{"type": "a", "payload": ${EXACT}}]`],
    ['of a line', `{"type": "b", "payload": 1}\r\n{"type": "a", "payload": ${EXACT}}\r\n`],
    ['by itself', EXACT],
  ])('%s is delivered and shown byte for byte', async (name, text) => {
    const it = await scene([ok]);
    const args = name === 'by itself' ? ['--type', 'a'] : ['--file', '-'];
    const sent = await cli.run(as(it.tenant.key), ['events', 'send', ...args, '-o', 'json'], { input: text });
    expect(sent).toMatchObject({ code: 0 });
    const { eventId } = JSON.parse(sent.stdout).at(-1);
    const bodies = () => it.receivers[0]?.requests.map(({ body }) => body.toString()) ?? [];
    await eventually('it is delivered', () => bodies().includes(EXACT), {
      otherwise: () => bodies().join('\n'),
    });
    for (const form of ['json', 'ndjson', 'table']) {
      const shown = await cli.run(as(it.tenant.key), ['events', 'get', eventId, '--payload', '-o', form]);
      expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining(EXACT) });
    }
  });

  test('of several lines is one line as NDJSON', async () => {
    const it = await scene([]);
    const payload = '{\n  "n": 1.0\n}';
    const args = ['events', 'send', '--type', 'a', '-o', 'json'];
    const [{ eventId }] = JSON.parse((await cli.run(as(it.tenant.key), args, { input: payload })).stdout);
    const get = ['events', 'get', eventId, '--payload', '-o'];
    expect((await cli.run(as(it.tenant.key), [...get, 'json'])).stdout).toContain(payload);
    const { stdout } = await cli.run(as(it.tenant.key), [...get, 'ndjson']);
    expect(stdout.trimEnd()).not.toContain('\n');
    expect(JSON.parse(stdout).payload).toEqual({ n: 1 });
  });
});

describe('many events', () => {
  const event = (n: number, more = '') => `{"type":"a","payload":{"n":${n}${more}}}`;

  test('of more than a request holds are sent in several', async () => {
    const it = await scene([]);
    const large = `,"text":"${'x'.repeat(90 * 1_024)}"`;
    const path = await file(
      'large.ndjson',
      Array.from({ length: 120 }, (_, n) => event(n, large)).join('\n'),
    );
    const sent = await cli.run(as(it.tenant.key), ['events', 'send', '--file', path, '-o', 'json']);
    expect(sent).toMatchObject({ code: 0 });
    expect(JSON.parse(sent.stdout)).toHaveLength(120);
  });

  test('of which one is refused: what was accepted is written, and --skip goes on behind it', async () => {
    const it = await scene([]);
    const path = join(cli.home, 'mixed.ndjson');
    const events = Array.from({ length: 250 }, (_, n) => event(n));
    await writeFile(path, events.with(150, '{"payload":150}').join('\n'));
    const send = (...more: string[]) =>
      cli.run(as(it.tenant.key), ['events', 'send', '--file', path, ...more, '-o', 'json']);
    const broken = await send();
    expect(broken).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/100 events accepted, not more: .*--skip 100\n[\s\S]*invalid_request/),
    });
    expect(JSON.parse(broken.stdout)).toHaveLength(100);
    await writeFile(path, events.join('\n'));
    expect(JSON.parse((await send('--skip', '100')).stdout)).toHaveLength(150);
    const { rows } = await engine.database.pool.query(
      `select count(*)::int as n from events where tenant_id = (select id from tenants where handle = $1)`,
      [it.tenant.handle],
    );
    expect(rows[0].n).toBe(250);
  });

  test('whose connection breaks: it is said of which of them nobody knows', async () => {
    const it = await scene([]);
    const path = await file('cut.ndjson', Array.from({ length: 250 }, (_, n) => event(n)).join('\n'));
    const proxy = await startTcpProxy(new URL(engine.service.url ?? '').host, { open: false });
    try {
      const server = as(it.tenant.key, `http://${proxy.address}`);
      const cut = await cli.run(server, ['events', 'send', '--file', path, '-o', 'json']);
      expect(cut).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/0 events accepted, .*--skip 0\nNobody knows of the events 1 to 100/),
      });
      expect(JSON.parse(cut.stdout)).toEqual([]);
    } finally {
      await proxy.close();
    }
  });
});
