import { createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import {
  type DemoReceiver,
  keptPort,
  startDemoReceiver,
} from '../../src/embedded/demo/demo-receiver-process.ts';
import { isRunning } from '../../src/embedded/own-processes.ts';
import { startChildScript } from '../support/child-script.ts';
import { eventually } from '../support/eventually.ts';
import { inTemporaryDirectory } from '../support/temporary-directory.ts';

const PARENT = new URL('child/demo-parent.ts', import.meta.url);
const TIMEOUT_MS = 30_000;
const { signal } = new AbortController();

test(
  'one receiver refuses connections until the outage is over, the others answer all the time',
  () =>
    withReceiver(async (receiver) => {
      expect(await post(receiver.port, '/search')).toBe(503);
      await expect(post(receiver.port + 1, '/warehouse')).rejects.toThrow();
      await receiver.recover();
      expect(await post(receiver.port, '/search', { attempt: 2 })).toBe(200);
      expect(await post(receiver.port + 1, '/warehouse')).toBe(200);
    }),
  TIMEOUT_MS,
);

test(
  'the tally counts what was acknowledged, and what was so twice',
  () =>
    withReceiver(async (receiver) => {
      await post(receiver.port, '/search', { id: 'dlv_0' });
      for (const id of ['dlv_1', 'dlv_2', 'dlv_2']) await post(receiver.port, '/audit', { id });
      expect(await receiver.tally()).toEqual({ acknowledged: 2, repeated: 1 });
    }),
  TIMEOUT_MS,
);

test(
  'a later start takes the port of the first, and says so when another program has it',
  () =>
    inTemporaryDirectory(async (dataDir) => {
      expect(await keptPort(dataDir)).toBeUndefined();
      const first = await startDemoReceiver({ dataDir, phase: 'outage', signal });
      await first.stop();
      expect(await isRunning(first.pid)).toBe(false);
      const port = await keptPort(dataDir);
      expect(port).toBe(first.port);

      const other = createServer().listen(first.port, '127.0.0.1');
      await new Promise((resolve) => other.once('listening', resolve));
      const again = { dataDir, phase: 'back', port: first.port, signal } as const;
      await expect(startDemoReceiver(again)).rejects.toThrow(
        `another program has taken port ${first.port} or ${first.port + 1}, where its receiver was: end that program and start again`,
      );
      await new Promise((resolve) => other.close(resolve));

      const second = await startDemoReceiver(again);
      expect(await post(second.port + 1, '/warehouse')).toBe(200);
      await second.stop();
    }),
  TIMEOUT_MS,
);

test(
  'it ends when its parent is killed',
  () =>
    inTemporaryDirectory(async (dataDir) => {
      const parent = startChildScript(PARENT, { args: [dataDir] });
      const { pid } = JSON.parse(await parent.firstLine) as { pid: number };
      expect(await isRunning(pid)).toBe(true);
      parent.process.kill('SIGKILL');
      await parent.ended;
      await eventually('the receiver has ended', async () => !(await isRunning(pid)));
    }),
  TIMEOUT_MS,
);

test(
  'a start that is given up leaves no process',
  () =>
    inTemporaryDirectory(async (dataDir) => {
      const giveUp = new AbortController();
      const starting = startDemoReceiver({ dataDir, phase: 'outage', signal: giveUp.signal });
      giveUp.abort();
      await expect(starting).rejects.toThrow();
      expect(await keptPort(dataDir)).toBeUndefined();
    }),
  TIMEOUT_MS,
);

async function withReceiver(act: (receiver: DemoReceiver) => Promise<void>): Promise<void> {
  await inTemporaryDirectory(async (dataDir) => {
    const receiver = await startDemoReceiver({ dataDir, phase: 'outage', signal });
    try {
      await act(receiver);
    } finally {
      await receiver.stop();
    }
  });
}

async function post(port: number, path: string, { id = 'dlv_1', attempt = 1 } = {}): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { 'webhook-id': id, 'redrive-execution-attempt': String(attempt) },
    body: '{}',
  });
  await response.arrayBuffer();
  return response.status;
}
