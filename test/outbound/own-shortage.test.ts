import { networkInterfaces } from 'node:os';
import { expect, test } from '@jest/globals';
import { createAddressGuard } from '../../src/outbound/address-guard.ts';
import { createAttemptClient } from '../../src/outbound/attempt.ts';
import { createDeadline } from '../../src/outbound/deadline.ts';
import { shortageOf } from '../../src/outbound/own-shortage.ts';
import { startChildScript } from '../support/child-script.ts';
import { eventually } from '../support/eventually.ts';
import { patient } from '../support/patience.ts';
import { startReceiver } from '../support/receivers/receiver.ts';
import { hang } from '../support/receivers/receiver-behaviour.ts';

const failed = (code: string, address?: string) =>
  Object.assign(new Error('connect'), { code, syscall: 'connect', ...(address && { address }) });
const ofSeveral = (...errors: { code: string }[]) =>
  Object.assign(new AggregateError(errors), { code: errors[0]?.code });

test.each([
  [failed('EMFILE', '192.0.2.1'), 'files'],
  [failed('ENFILE', '192.0.2.1'), 'files'],
  [failed('ENOBUFS', '192.0.2.1'), 'memory'],
  [failed('EADDRNOTAVAIL', '127.0.0.1'), 'ports'],
  [ofSeveral(failed('ECONNREFUSED', '127.0.0.1'), failed('EMFILE', '192.0.2.1')), 'files'],
  [new Error('no tunnel', { cause: failed('EMFILE', '192.0.2.1') }), 'files'],
  [failed('ECONNREFUSED', '127.0.0.1'), undefined],
  [failed('ETIMEDOUT', '127.0.0.1'), undefined],
  [ofSeveral(failed('ECONNREFUSED', '127.0.0.1'), failed('ECONNREFUSED', '192.0.2.1')), undefined],
  [failed('EADDRNOTAVAIL'), undefined],
  [Object.assign(new Error('EMFILE'), { message: 'EMFILE' }), undefined],
  [undefined, undefined],
  ['EMFILE', undefined],
])('the shortage in %p is %s', (error, shortage) => {
  expect(shortageOf(error)).toBe(shortage);
});

test('an address of a family that this machine has none of is the fault of who named it', () => {
  const isOurs = Object.values(networkInterfaces())
    .flat()
    .some((own) => own?.family === 'IPv6' && !own.internal && !own.address.startsWith('fe80:'));
  expect(shortageOf(failed('EADDRNOTAVAIL', '2001:db8::1'))).toBe(isOurs ? 'ports' : undefined);
  expect(shortageOf(ofSeveral(failed('EADDRNOTAVAIL', 'fe80::1%nowhere'), failed('ECONNREFUSED')))).toBe(
    isOurs ? 'ports' : undefined,
  );
});

test('an error that is its own cause is read to an end', () => {
  const error = new Error('round');
  error.cause = error;
  expect(shortageOf(error)).toBeUndefined();
});

test('a socket beyond the most that a process is to have is not opened, and one that has closed makes room', async () => {
  const receiver = await startReceiver(hang);
  const client = createAttemptClient({ guard: createAddressGuard(['127.0.0.0/8']), maxSockets: 2 });
  const send = (timeoutMs: number) =>
    client.send({
      url: receiver.url(),
      body: '{}',
      headers: { 'content-type': 'application/json' },
      timeoutMs,
      deadline: createDeadline(60_000),
    });
  try {
    const two = [send(patient(500)), send(patient(500))];
    expect(await send(60_000)).toEqual({ kind: 'released', reason: 'shortage', of: 'files' });
    await Promise.all(two);
    await eventually('there is room again', async () => (await send(patient(500))).kind === 'faulted');
  } finally {
    await client.close();
    await receiver.close();
  }
});

test('a process without a file for the connection gives its request back, certainly unsent', async () => {
  const receiver = await startReceiver(hang);
  try {
    const script = new URL('../support/child/attempts-without-files.ts', import.meta.url);
    const child = startChildScript(script, { args: [receiver.url()], openFiles: 128 });
    expect(JSON.parse(await child.firstLine)).toEqual({ kind: 'released', reason: 'shortage', of: 'files' });
    child.process.kill('SIGKILL');
    await child.ended;
  } finally {
    await receiver.close();
  }
});
