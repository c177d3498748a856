import { describe, expect, test } from '@jest/globals';
import { resultOf } from '../../../src/domain/listeners/handed-request.ts';
import { listenerOf, listenerUrl } from '../../../src/domain/listeners/listener.ts';
import { newId } from '../../../src/domain/tenancy/typed-id.ts';
import { createAddressGuard } from '../../../src/outbound/address-guard.ts';

describe('the result of an attempt at a listener', () => {
  const excerpt = Buffer.from('ok');

  test.each([
    {
      came: { handed: true, ended: false, answer: { status: 204, excerpt } },
      result: { kind: 'answered', status: 204, excerpt },
    },
    // Its connection ended behind the answer.
    {
      came: { handed: true, ended: true, answer: { status: 500, excerpt } },
      result: { kind: 'answered', status: 500, excerpt },
    },
    {
      came: { handed: true, ended: false, answer: 'unreachable' as const },
      result: { fault: 'connection_refused', mayHaveArrived: false },
    },
    { came: { handed: true, ended: false }, result: { fault: 'timeout', mayHaveArrived: true } },
    { came: { handed: true, ended: true }, result: { fault: 'connection_reset', mayHaveArrived: true } },
    { came: { handed: false, ended: false }, result: { fault: 'connect_timeout', mayHaveArrived: false } },
    { came: { handed: false, ended: true }, result: { fault: 'connection_refused', mayHaveArrived: false } },
  ])('where it came so far: $came', ({ came, result }) => {
    expect(resultOf(came, 7)).toEqual({ kind: 'faulted', durationMs: 7, ...result });
  });
});

describe('the address of a listener', () => {
  test('names it, and is no address that an endpoint can be given', async () => {
    const id = newId('listener');
    expect(listenerOf(listenerUrl(id))).toBe(id);
    expect(await createAddressGuard(['127.0.0.0/8']).resolveAndCheck(listenerUrl(id))).toMatchObject({
      ok: false,
    });
  });

  test.each([
    'https://example.com/redrive-listener:x',
    'redrive-listener:',
    'redrive-listener:end_01k9z3e5hbe7r9qk2m4n6p8r0s',
  ])('%s is none', (url) => {
    expect(listenerOf(url)).toBeUndefined();
  });
});
