import { readdir, utimes } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { useCli } from '../../support/cli/use-cli.ts';
import { useEngine, useScenes } from '../../support/engine/use-engine.ts';
import { ok } from '../../support/receivers/receiver-behaviour.ts';
import { startTcpProxy } from '../../support/receivers/tcp-proxy.ts';

/** A run that is cut off, by its connection, its server or its machine, and the same command again. */

const engine = useEngine();
const scene = useScenes(engine);
const cli = useCli();

const RUN = ['retry', 'run', '--all-failed', '--yes', '--wait', '-o', 'json'];

const as = (key: string) => ({ url: engine.service.url ?? '', key });

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
      const { code, stdout, stderr } = await run.ended;
      expect(code).toBe(0);
      expect(stderr.match(/The connection was lost/g)).toHaveLength(1);
      expect(stderr.match(/The server is there again/g)).toHaveLength(1);
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
      const args = [...RUN, '--rate', '0.05', '--patience', '1s'];
      const run = cli.start(there, args);
      await run.says('running:');
      proxy.cut();
      const { code, stderr } = await run.ended;
      expect(code).toBe(1);
      const [, id = ''] = /redrive retry watch (op_\S+)/.exec(stderr) ?? [];
      proxy.forward();
      const joining = cli.start(there, args);
      await joining.says(`it joins ${id}, which goes on`);
      await it.retries.control(id, 'rate', { ratePerSecond: null });
      const again = await joining.ended;
      expect(again.code).toBe(0);
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

describe('the same command again', () => {
  const slow = [...RUN, '--rate', '0.05'];

  /** The id of the operation that somebody who came too late is told. */
  const told = (stderr: string) => /Come back by: redrive retry watch (op_\S+)/.exec(stderr)?.[1] ?? '';

  test('is a run of its own where the first one said how to come back', async () => {
    const it = await scene([ok]);
    await it.seed(5);
    const late = (seconds: number) => cli.run(as(it.tenant.key), [...slow, '--timeout', `${seconds}s`]);
    // Long enough for its plan: that is a part of the time.
    let seconds = 1;
    let first = await late(seconds);
    for (; first.stderr.includes('Still planning'); first = await late(seconds)) seconds *= 2;
    expect(first.code).toBe(8);
    await it.retries.control(told(first.stderr), 'cancel');
    await it.retries.ended(told(first.stderr));
    const second = await late(seconds);
    expect(second.code).toBe(8);
    expect(second.stderr).not.toContain('joins');
    expect(told(second.stderr)).not.toBe(told(first.stderr));
    if (told(second.stderr) !== '') await it.retries.control(told(second.stderr), 'cancel');

    const interrupted = cli.start(as(it.tenant.key), slow);
    await interrupted.says('running:');
    interrupted.process.kill('SIGINT');
    const third = told((await interrupted.ended).stderr);
    await it.retries.control(third, 'cancel');
    await it.retries.ended(third);
    const next = cli.start(as(it.tenant.key), slow);
    await next.says('running:');
    expect(next.stderr()).not.toContain('joins');
    next.process.kill('SIGINT');
    await it.retries.control(told((await next.ended).stderr), 'cancel');
  });

  test('joins a run that was killed, also where it was cancelled meanwhile; a day later it is its own', async () => {
    const it = await scene([ok]);
    await it.seed(5);
    const state = join(cli.home, 'killed');
    const start = () => cli.start(as(it.tenant.key), slow, { env: { XDG_STATE_HOME: state } });
    const killed = start();
    await killed.says('running:');
    killed.process.kill('SIGKILL');
    await killed.ended;
    const [{ id }] = JSON.parse((await cli.run(as(it.tenant.key), ['retry', 'list', '-o', 'json'])).stdout);
    const joining = start();
    await joining.says(`it joins ${id}, which goes on`);
    await joining.says('running:');
    joining.process.kill('SIGKILL');
    await joining.ended;
    await it.retries.control(id, 'cancel');
    await it.retries.ended(id);

    const runs = join(state, 'redrive', 'runs');
    const [file = ''] = await readdir(runs);
    const yesterday = new Date(Date.now() - 86_400_000);
    const seen = async (at: Date) => utimes(join(runs, file), at, at);
    await seen(yesterday);
    const own = start();
    await own.says('running:');
    expect(own.stderr()).not.toContain('joins');
    own.process.kill('SIGKILL');
    await own.ended;
    const [other] = JSON.parse((await cli.run(as(it.tenant.key), ['retry', 'list', '-o', 'json'])).stdout);
    expect(other.id).not.toBe(id);
    await it.retries.control(other.id, 'cancel');
    await it.retries.ended(other.id);
    // Whoever cancelled it is not to be overruled by a script that tries again.
    expect(await start().ended).toMatchObject({
      code: 7,
      stderr: expect.stringContaining(`it joins ${other.id}, which has ended meanwhile`),
    });
    expect(await readdir(runs)).toEqual([]);
  });

  test('exit 1: joins a run whose server failed when it had taken it', async () => {
    const it = await scene([ok]);
    await it.seed(5);
    let fails = false;
    const gate = await gateTo(engine.service.url ?? '', (request) => {
      if (request.url?.endsWith('/execute')) fails = true;
      return fails && request.method === 'GET';
    });
    try {
      const there = { url: gate.url, key: it.tenant.key };
      const cut = await cli.run(there, slow);
      expect(cut).toMatchObject({ code: 1, stderr: expect.stringContaining('internal: ') });
      fails = false;
      const joining = cli.start(there, slow);
      await joining.says('it joins op_');
      joining.process.kill('SIGTERM');
      const { stderr } = await joining.ended;
      const [, id = ''] = /it joins (op_\w+)/.exec(stderr) ?? [];
      await it.retries.control(id, 'cancel');
    } finally {
      await gate.close();
    }
  });
});

/** A way to the service that answers some requests by a failure of its own. */
async function gateTo(url: string, isRefused: (request: IncomingMessage) => boolean) {
  const server: Server = createServer(async (request, response) => {
    const refused = isRefused(request);
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    if (refused) {
      const problem = {
        type: 'about:blank',
        title: 'Internal error',
        status: 500,
        code: 'internal',
        detail: 'x',
      };
      response.writeHead(500, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
      return;
    }
    // Those of the connection, and the length, which is told once more with the body, are not passed on.
    const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers;
    const answer = await fetch(`${url}${request.url}`, {
      method: request.method ?? 'GET',
      headers: headers as Record<string, string>,
      ...(parts.length > 0 ? { body: Buffer.concat(parts) } : {}),
    }).catch(() => undefined);
    if (!answer) return response.destroy();
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
    try {
      if (answer.body) for await (const part of answer.body) response.write(part);
    } catch {
      // The service goes away first.
    }
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
