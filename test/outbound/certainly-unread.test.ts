import { expect, test } from '@jest/globals';
import { isCertainlyUnread } from '../../src/outbound/fault-of-error.ts';
import { SocketPool } from '../../src/outbound/socket-pool.ts';

const refused = Object.assign(new Error('alert'), { code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' });

test.each([
  ['the first request of a socket', {}, true],
  ['a request whose answer began, if only by an interim one', { answerBegan: true }, false],
  ['a later request of a socket: our certificate was taken', { socketWasUsed: true }, false],
])('an alert about our certificate says that nothing was read of %s: %#', (_, progress, unread) => {
  expect(isCertainlyUnread(refused, { answerBegan: false, socketWasUsed: false, ...progress })).toBe(unread);
});

test('a socket is told as used by whoever has it after another', () => {
  const connect = () => {
    throw new Error('nothing is sent');
  };
  const pool = new SocketPool('https://127.0.0.1:9', { connect, maxSocketsPerOrigin: 2 });
  const told: boolean[] = [];
  const use = (release: boolean) =>
    pool.acquire({
      abandoned: false,
      stop() {},
      withSocket(client, wasUsed) {
        told.push(wasUsed);
        if (release) pool.release(client);
      },
    });
  use(true);
  use(false);
  use(false);
  expect(told).toEqual([false, true, false]);
});
