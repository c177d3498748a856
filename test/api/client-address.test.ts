import { describe, expect, test } from '@jest/globals';
import { clientAddress } from '../../src/api/authentication/client-address.ts';

describe('the address of a client', () => {
  const behind = clientAddress(['10.0.0.0/8', 'fd00::/8']);

  test.each([
    [
      'is its own without proxies, whatever it says',
      clientAddress([]),
      '192.0.2.1',
      '203.0.113.9',
      '192.0.2.1',
    ],
    ['is its own where its peer is no proxy of ours', behind, '192.0.2.1', '203.0.113.9', '192.0.2.1'],
    [
      'is the last one that no proxy of ours has',
      behind,
      '10.0.0.1',
      '203.0.113.9, 192.0.2.1, 10.0.0.2',
      '192.0.2.1',
    ],
    ['is that of the proxy where it says nothing', behind, '10.0.0.1', undefined, '10.0.0.1'],
    [
      'is that of the last proxy where the header is nonsense',
      behind,
      '10.0.0.1',
      'evil, 10.0.0.2',
      '10.0.0.2',
    ],
    ['is read with a port', behind, '10.0.0.1', '192.0.2.1:4711', '192.0.2.1'],
    ['is a /64 in IPv6', behind, 'fd00::1', '[2001:db8:1:2:3::4]:4711', '2001:db8:1:2::/64'],
    ['is the same written as IPv6', behind, '::ffff:10.0.0.1', '::ffff:192.0.2.1', '192.0.2.1'],
    ['is unknown once the peer has gone', behind, undefined, '192.0.2.1', 'unknown'],
  ])('%s', (_, addressOf, peer, header, expected) => {
    expect(addressOf(peer, header)).toBe(expected);
  });

  test('is read from the end of a header of any length', () => {
    const long = Array(2_000).fill('10.0.0.2').join(',');
    expect(behind('10.0.0.1', `192.0.2.1,${long}`)).toBe('10.0.0.2');
  });
});
