import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { makePipe } from '../support/cli/make-pipe.ts';
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
        stderr: expect.stringContaining('The upload broke'),
      });
      expect(JSON.parse(stdout)).toMatchObject({ lines: 60_000, accepted: 60_000, duplicates: 0 });
      expect(await it.ids()).toHaveLength(60_000);
    } finally {
      await proxy.close();
    }
  });

  test('goes on over a restart of the server, by itself', async () => {
    const it = await scene([ok]);
    const path = await file('restarted.ndjson', many(60_000));
    const { port } = new URL(engine.service.url ?? '');
    const proxy = await startTcpProxy(`127.0.0.1:${port}`);
    // In its place, meanwhile, somebody who knows of nothing, as a load balancer does.
    const balancer = createServer((asked, answer) => {
      asked.resume();
      answer.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad gateway</h1>');
    });
    await new Promise<void>((resolve) => balancer.listen(0, '127.0.0.1', resolve));
    try {
      const args = ['import', path, '--from', 'ndjson', '--map', `theirs=${it.endpoints[0].id}`];
      const importing = run(it, args, `http://${proxy.address}`);
      await eventually('some was taken', async () => (await taken(it)) > 0);
      proxy.cut();
      await importing.says('The upload broke');
      const answered = new Promise((resolve) => balancer.once('request', resolve));
      proxy.forward(`127.0.0.1:${(balancer.address() as AddressInfo).port}`);
      await answered;
      proxy.cut();
      proxy.forward(`127.0.0.1:${port}`);
      const { code, stdout, stderr } = await importing.ended;
      expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringMatching(/Opened imp_/) });
      expect(JSON.parse(stdout)).toMatchObject({ lines: 60_000, accepted: 60_000, duplicates: 0 });
    } finally {
      await proxy.close();
      balancer.closeAllConnections();
      await new Promise((resolve) => balancer.close(resolve));
    }
  });

  test('whose server stays away says how to go on', async () => {
    const it = await scene([ok]);
    const path = await file('away.ndjson', many(60_000));
    const { port } = new URL(engine.service.url ?? '');
    const proxy = await startTcpProxy(`127.0.0.1:${port}`);
    const args = ['import', path, '--from', 'ndjson', '--map', `theirs=${it.endpoints[0].id}`];
    const importing = run(it, [...args, '--patience', '1ms'], `http://${proxy.address}`);
    await eventually('some was taken', async () => (await taken(it)) > 0);
    await proxy.close();
    const { code, stderr } = await importing.ended;
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/--resume imp_/) });
    const [, id = ''] = /--resume (imp_\S+)/.exec(stderr) ?? [];
    expect(await run(it, ['import', path, '--resume', id]).ended).toMatchObject({ code: 0 });
    expect(await it.ids()).toHaveLength(60_000);
  });

  test('whose close was not answered is closed again, and one that was closed is told by --resume', async () => {
    const it = await scene([ok]);
    const path = await file('closed.ndjson', [...many(3), '{']);
    const { port } = new URL(engine.service.url ?? '');
    let closes = 0;
    // Takes away the first answer to a close: what was asked is done.
    const proxy = createServer((asked, answer) => {
      const passed = request(
        { host: '127.0.0.1', port, path: asked.url, method: asked.method, headers: asked.headers },
        (response) => {
          if (asked.url?.endsWith('/close')) closes += 1;
          if (closes === 1) return void asked.socket.destroy();
          answer.writeHead(response.statusCode ?? 502, response.headers);
          response.pipe(answer);
        },
      );
      asked.pipe(passed);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    try {
      const args = ['import', path, '--from', 'ndjson', '--map', `theirs=${it.endpoints[0].id}`];
      const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
      const imported = await run(it, args, url).ended;
      expect({ ...imported, closes }).toMatchObject({ code: 5, closes: 2 });
      const { id } = JSON.parse(imported.stdout);
      const resumed = await run(it, ['import', path, '--resume', id]).ended;
      expect(resumed).toMatchObject({
        code: 5,
        stderr: expect.stringMatching(/was closed before[\s\S]*line 4: /),
      });
      expect(JSON.parse(resumed.stdout)).toMatchObject({ id, state: 'closed', accepted: 3, refused: 1 });
    } finally {
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
    }
  });

  test('of a pipe is sent once: where it breaks, what was piped in is not taken for its beginning', async () => {
    const it = await scene([ok]);
    const { port } = new URL(engine.service.url ?? '');
    const proxy = await startTcpProxy(`127.0.0.1:${port}`);
    const pipe = join(cli.home, 'pipe');
    makePipe(pipe);
    // Whoever writes into it has more than is taken at once, and stays.
    const script = `exec > "$1"; cat "$0"; exec sleep 600`;
    const lines = await file('piped.ndjson', many(60_000));
    const writer = spawn('sh', ['-c', script, lines, pipe], { stdio: 'ignore' });
    try {
      const args = ['import', pipe, '--from', 'ndjson', '--map', `theirs=${it.endpoints[0].id}`];
      const importing = run(it, args, `http://${proxy.address}`);
      await eventually('some was taken', async () => (await taken(it)) > 0);
      proxy.cut();
      proxy.forward();
      const { code, stderr } = await importing.ended;
      expect({ code, stderr }).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/cannot be read again/),
      });
      const [, id = ''] = /import <file> --resume (imp_\S+)/.exec(stderr) ?? [];
      expect(await run(it, ['imports', 'abandon', id]).ended).toMatchObject({ code: 0 });
    } finally {
      writer.kill('SIGKILL');
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
    const map = `theirs=${it.endpoints[0].id}`;
    for (const wrong of ['none.ndjson', cli.home, join(path, 'x')])
      expect(await run(it, ['import', wrong, '--from', 'ndjson', '--map', map]).ended).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(wrong),
      });
    const [broken, list] = [
      await file('broken.json', ['{"theirs": ']),
      await file('list.json', ['["theirs"]']),
    ];
    for (const mapFile of ['none.json', cli.home, broken, list])
      expect(await run(it, ['import', path, '--from', 'ndjson', '--map-file', mapFile]).ended).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(mapFile),
      });
    expect(JSON.parse((await run(it, ['imports', 'list']).ended).stdout)).toEqual([]);
  });

  test('maps many by a file, is shown, and is closed or abandoned by hand', async () => {
    const it = await scene([ok]);
    const [endpoint] = it.endpoints;
    const path = await file('by-hand.ndjson', [...many(3), line(4, { endpoint: 'other' })]);
    const mapFile = await file('map.json', [JSON.stringify({ theirs: endpoint.id, other: endpoint.id })]);
    const args = ['import', path, '--from', 'ndjson', '--map-file', mapFile];
    const { stdout } = await run(it, args).ended;
    expect(JSON.parse(stdout)).toMatchObject({ accepted: 4, refused: 0 });
    const { id } = JSON.parse(stdout);
    expect(JSON.parse((await run(it, ['imports', 'get', id]).ended).stdout)).toMatchObject({
      id,
      nextLine: 5,
    });

    const { tenant, key } = admin(it);
    const open = async () => {
      const { body } = await engine.client.expect(201, 'POST', '/api/v1/imports', {
        key,
        headers: { 'redrive-tenant': tenant },
        body: { from: 'ndjson', map: { theirs: endpoint.id } },
      });
      return body.id as string;
    };
    const closed = await open();
    expect(await run(it, ['imports', 'close', closed, 'x']).ended).toMatchObject({ code: 2 });
    expect(await run(it, ['imports', 'close', closed, '7']).ended).toMatchObject({
      stdout: '',
      stderr: expect.stringContaining('lines_missing'),
    });
    expect(JSON.parse((await run(it, ['imports', 'close', closed, '0']).ended).stdout)).toMatchObject({
      state: 'closed',
    });
    const abandoned = await open();
    expect(JSON.parse((await run(it, ['imports', 'abandon', abandoned]).ended).stdout)).toMatchObject({
      state: 'abandoned',
    });
    const resumed = await run(it, ['import', path, '--resume', abandoned]).ended;
    expect(resumed).toMatchObject({ code: 1, stderr: expect.stringContaining('is abandoned') });
    expect(resumed.stderr).not.toContain('--resume');
  });
});
