import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { useCli } from '../support/cli/use-cli.ts';
import type { Scene } from '../support/engine/recovery-scene.ts';
import { useEngine, useScenes } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { ok } from '../support/receivers/receiver-behaviour.ts';
import { startTcpProxy } from '../support/receivers/tcp-proxy.ts';

const engine = useEngine();
const scene = useScenes(engine);
const cli = useCli();

/** The installation, for one tenant: an import has a scope of its own. */
const admin = (it: Scene, url = engine.service.url ?? '') => ({
  url,
  key: engine.adminKey,
  tenant: it.tenant.handle,
});

function run(it: Scene, args: readonly string[], url?: string) {
  const { tenant, ...server } = admin(it, url);
  return cli.start(server, [...args, '--tenant', tenant, '-o', 'json']);
}

const line = (n: number, more: object = {}) =>
  JSON.stringify({
    id: `theirs-${n}`,
    type: 'invoice.paid',
    endpoint: 'theirs',
    payload: { n },
    attempts: [{ at: '2026-11-03T02:00:00Z', status: 400 }],
    ...more,
  });

async function file(name: string, lines: readonly string[]): Promise<string> {
  const path = join(cli.home, name);
  await writeFile(path, `${lines.join('\n')}\n`);
  return path;
}

const many = (count: number) => Array.from({ length: count }, (_, n) => line(n));

/** Lines that were taken so far; asked of the database, for a process that asks starts too slowly. */
async function taken(it: Scene): Promise<number> {
  const { rows } = await engine.database.pool.query(
    'select lines from imports where tenant_id = (select id from tenants where handle = $1)',
    [it.tenant.handle],
  );
  return Number(rows[0]?.lines ?? 0);
}

describe('an import', () => {
  test('makes failed deliveries, says which lines it refused, sends nothing, and is recovered by its batch', async () => {
    const it = await scene([ok]);
    const map = `theirs=${it.endpoints[0].id}`;
    const path = await file('some.ndjson', [...many(5), '{"id": ', line(7, { endpoint: 'nobody' })]);
    const { code, stdout, stderr } = await run(it, ['import', path, '--from', 'ndjson', '--map', map]).ended;
    expect(code).toBe(5);
    const imported = JSON.parse(stdout);
    expect(imported).toMatchObject({ state: 'closed', lines: 7, accepted: 5, refused: 2 });
    expect(stderr).toMatch(/line 6: /);
    expect(stderr).toMatch(/line 7: unmapped.*nobody/);
    expect(it.sent()).toBe(0);
    const lines = JSON.parse(
      (await run(it, ['imports', 'lines', imported.id, '--result', 'refused']).ended).stdout,
    );
    expect(lines.map((each: { line: number }) => each.line)).toEqual([6, 7]);
    const batch = ['retry', 'run', '--batch', imported.ingestionBatchId, '--yes', '--wait'];
    expect(await cli.run({ url: engine.service.url ?? '', key: it.tenant.key }, batch)).toMatchObject({
      code: 0,
    });
    expect(it.sent()).toBe(5);
  });

  test('of standard input is one of a file', async () => {
    const it = await scene([ok]);
    const { tenant, ...server } = admin(it);
    const args = [
      'import',
      '-',
      '--from',
      'ndjson',
      '--map',
      `theirs=${it.endpoints[0].id}`,
      '--tenant',
      tenant,
    ];
    const input = many(3).join('\r\n');
    expect(await cli.run(server, args, { input })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/accepted +3/),
    });
  });

  test('whose connection breaks goes on by itself, and doubles nothing', async () => {
    const it = await scene([ok]);
    const path = await file('broken.ndjson', many(60_000));
    const { port } = new URL(engine.service.url ?? '');
    const proxy = await startTcpProxy(`127.0.0.1:${port}`);
    try {
      const args = ['import', path, '--from', 'ndjson', '--map', `theirs=${it.endpoints[0].id}`];
      const importing = run(it, args, `http://${proxy.address}`);
      await eventually('some was taken', async () => (await taken(it)) > 0);
      proxy.cut();
      proxy.forward();
      const { code, stdout, stderr } = await importing.ended;
      expect({ code, stderr }).toMatchObject({
        code: 0,
        stderr: expect.stringContaining('The connection was lost'),
      });
      expect(JSON.parse(stdout)).toMatchObject({ lines: 60_000, accepted: 60_000, duplicates: 0 });
      expect(await it.ids()).toHaveLength(60_000);
    } finally {
      await proxy.close();
    }
  });

  test('that is interrupted says how to go on, and goes on there', async () => {
    const it = await scene([ok]);
    const path = await file('interrupted.ndjson', many(60_000));
    const importing = run(it, ['import', path, '--from', 'ndjson', '--map', `theirs=${it.endpoints[0].id}`]);
    await eventually('some was taken', async () => (await taken(it)) > 0);
    importing.process.kill('SIGINT');
    const { code, stderr } = await importing.ended;
    expect(code).toBe(130);
    const [, id = ''] = /--resume (imp_\S+)/.exec(stderr) ?? [];
    const resumed = await run(it, ['import', path, '--resume', id]).ended;
    expect(resumed).toMatchObject({ code: 0, stderr: expect.stringContaining('It goes on at line') });
    expect(JSON.parse(resumed.stdout)).toMatchObject({ lines: 60_000, accepted: 60_000, duplicates: 0 });
  });

  test('that says too little is refused before anything is opened', async () => {
    const it = await scene([ok]);
    const path = await file('little.ndjson', many(1));
    expect(await run(it, ['import', path, '--map', 'a=b']).ended).toMatchObject({ code: 2 });
    expect(await run(it, ['import', path, '--from', 'svix']).ended).toMatchObject({ code: 2 });
    expect(await run(it, ['import', 'none.ndjson', '--from', 'svix', '--map', 'a=b']).ended).toMatchObject({
      code: 2,
    });
    expect(JSON.parse((await run(it, ['imports', 'list']).ended).stdout)).toEqual([]);
  });
});
