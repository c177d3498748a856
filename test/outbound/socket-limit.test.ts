import { expect, test } from '@jest/globals';
import type { buildConnector } from 'undici';
import { createSocketLimit } from '../../src/outbound/socket-limit.ts';

test('a connector that throws, as for a certificate that is refused here, holds no place', () => {
  const limit = createSocketLimit(2);
  const throws = limit(() => {
    throw new Error('refused');
  });
  for (let n = 0; n < 5; n += 1)
    expect(() => throws({} as buildConnector.Options, () => {})).toThrow('refused');
  const asked: unknown[] = [];
  const connect = limit((options) => void asked.push(options));
  connect({} as buildConnector.Options, () => {});
  expect(asked).toHaveLength(1);
});

test('the one beyond the limit fails as one without files does, and its place is free once another has failed', () => {
  const fail: buildConnector.Callback[] = [];
  const connect = createSocketLimit(1)((_, callback) => void fail.push(callback));
  const codes: unknown[] = [];
  const open = () =>
    connect({} as buildConnector.Options, (...[error]) => {
      codes.push((error as { code?: string } | null)?.code);
    });
  open();
  open();
  expect(codes).toEqual(['EMFILE']);
  fail[0]?.(new Error('no'), null);
  open();
  expect(fail).toHaveLength(2);
});
