import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createAddressGuard, type Resolve } from '../../src/outbound/address-guard.ts';

const guard = createAddressGuard([]);

function answering(...addresses: string[]): Resolve {
  return (_name, _options, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
}

function refusal(url: string, using = guard): string {
  const check = using.checkUrl(url);
  return check.ok ? 'accepted' : check.code;
}

describe('a URL', () => {
  test.each([
    'https://example.com/hooks',
    'http://example.com:8080/a?b=c',
    'https://93.184.216.34/',
    'https://[2606:2800:220:1:248:1893:25c8:1946]/',
    'https://[64:ff9b::5db8:d822]/',
    'https://localhost.example.com/',
    'https://notlocalhost/',
  ])('%s is accepted', (url) => {
    expect(refusal(url)).toBe('accepted');
  });

  test.each([
    ['not a url', 'url_invalid'],
    ['https://', 'url_invalid'],
    ['https://256.256.256.256/', 'url_invalid'],
    ['ftp://example.com/', 'url_scheme'],
    ['file:///etc/passwd', 'url_scheme'],
    ['javascript:alert(1)', 'url_scheme'],
    ['https://user@example.com/', 'url_userinfo'],
    ['https://user:pass@example.com/', 'url_userinfo'],
  ])('%s is refused as %s', (url, code) => {
    expect(refusal(url)).toBe(code);
  });

  test.each([
    // loopback in every spelling
    '127.0.0.1',
    '127.0.0.1.',
    '127.1',
    '127.255.255.254',
    '2130706433',
    '0x7f.1',
    '0x7f000001',
    '0177.0.0.1',
    '017700000001',
    '１２７.０.０.１',
    '%31%32%37.0.0.1',
    '127。0。0。1',
    '[::1]',
    '[0:0:0:0:0:0:0:1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::127.0.0.1]',
    'localhost',
    'LOCALHOST',
    'localhost.',
    'a.b.localhost',
    // this host, private, shared, link-local, metadata
    '0',
    '0.0.0.0',
    '[::]',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '169.254.169.254',
    '[::ffff:169.254.169.254]',
    '[fd00:ec2::254]',
    '[fe80::1]',
    '[fec0::1]',
    '168.63.129.16',
    '100.100.100.200',
    '192.0.0.192',
    'metadata.google.internal',
    'metadata.google.internal.',
    'printer.local',
    // embedded and tunnelled
    '[64:ff9b::7f00:1]',
    '[64:ff9b::a9fe:a9fe]',
    '[64:ff9b:1::a00:1]',
    '[2002:7f00:1::]',
    '[2002:a9fe:a9fe::1]',
    '[2001:0:4136:e378:8000:63bf:3fff:fdd2]',
    '[2a00:1450::5efe:10.0.0.1]',
    '[2a00:1450::200:5efe:10.0.0.1]',
    // multicast, broadcast, documentation, benchmarking, reserved
    '224.0.0.1',
    '[ff02::1]',
    '255.255.255.255',
    '192.0.2.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '192.88.99.1',
    '240.0.0.1',
    '[2001:db8::1]',
    '[100::1]',
    '[5f00::1]',
    '[4000::1]',
  ])('to %s is blocked', (host) => {
    expect(refusal(`http://${host}/`)).toBe('address_blocked');
    expect(refusal(`https://${host}:8443/hooks`)).toBe('address_blocked');
  });

  test('is blocked for every private address in every numeric spelling', () => {
    const privateAddress = fc
      .tuple(
        fc.constantFrom(
          [10, 8],
          [127, 8],
          [172 * 256 + 16, 12],
          [192 * 256 + 168, 16],
          [169 * 256 + 254, 16],
        ),
        fc.nat({ max: 2 ** 32 - 1 }),
      )
      .map(([[prefix = 0, bits = 0], random]) => {
        const width = prefix > 255 ? 16 : 8;
        const network = prefix * 2 ** (32 - width);
        return network + (random % 2 ** (32 - bits));
      });
    fc.assert(
      fc.property(privateAddress, (address) => {
        const octets = [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256);
        const [high, low] = [Math.floor(address / 65_536).toString(16), (address % 65_536).toString(16)];
        const spellings = [
          octets.join('.'),
          String(address),
          `0x${address.toString(16)}`,
          octets.map((octet) => `0${octet.toString(8)}`).join('.'),
          `[::ffff:${high}:${low}]`,
          `[64:ff9b::${high}:${low}]`,
          `[2002:${high}:${low}::1]`,
        ];
        for (const host of spellings) expect(refusal(`http://${host}/`)).toBe('address_blocked');
      }),
    );
  });
});

describe('allowed networks', () => {
  const loopback = createAddressGuard(['127.0.0.0/8', '::1']);

  test('lift the block for their addresses, in every spelling, and for nothing else', () => {
    for (const host of [
      '127.0.0.1',
      '2130706433',
      '[::ffff:127.0.0.1]',
      '[::1]',
      'localhost',
      'api.localhost',
    ]) {
      expect(refusal(`http://${host}/`, loopback)).toBe('accepted');
    }
    for (const host of ['10.0.0.1', '169.254.169.254', '[fd00::1]', '0.0.0.0']) {
      expect(refusal(`http://${host}/`, loopback)).toBe('address_blocked');
    }
  });

  test('of another kind do not allow localhost, but allow internal names to be looked up', () => {
    const cluster = createAddressGuard(['10.0.0.0/8']);
    expect(refusal('http://localhost/', cluster)).toBe('address_blocked');
    expect(refusal('http://hooks.default.svc.cluster.local/', cluster)).toBe('accepted');
  });

  test('that cannot be parsed stop the start', () => {
    expect(() => createAddressGuard(['10.0.0.0/33'])).toThrow(RangeError);
    expect(() => createAddressGuard(['everything'])).toThrow('everything');
  });
});

describe('a name', () => {
  test('that resolves to blocked addresses only is refused at creation', async () => {
    const rebinding = createAddressGuard([], answering('10.0.0.1', '::1'));
    expect(await rebinding.resolveAndCheck('https://example.com/')).toMatchObject({
      ok: false,
      code: 'address_blocked',
    });
  });

  test('that resolves to an allowed address is accepted, and the lookup yields the allowed ones only', async () => {
    const mixed = createAddressGuard([], answering('10.0.0.1', '93.184.216.34', 'fe80::1'));
    expect(await mixed.resolveAndCheck('https://example.com/')).toMatchObject({ ok: true });
    const addresses = await new Promise((resolve) => {
      mixed.lookup('example.com', { all: true }, (_error, found) => resolve(found));
    });
    expect(addresses).toEqual([{ address: '93.184.216.34', family: 4 }]);
  });

  test('that does not resolve is accepted at creation', async () => {
    const unknown = createAddressGuard([], (_name, _options, callback) =>
      callback(Object.assign(new Error(), { code: 'ENOTFOUND' }), []),
    );
    expect(await unknown.resolveAndCheck('https://not-yet.example/')).toMatchObject({ ok: true });
  });

  test('whose resolver does not answer is accepted at creation after a bounded wait', async () => {
    const silent = createAddressGuard([], () => {});
    expect(await silent.resolveAndCheck('https://slow.example/')).toMatchObject({ ok: true });
  });

  test('is asked for once however many connections wait for it', () => {
    const callbacks: Parameters<Resolve>[2][] = [];
    const counting = createAddressGuard([], (_name, _options, callback) => callbacks.push(callback));
    const answers: unknown[] = [];
    for (let n = 0; n < 5; n += 1) {
      counting.lookup('example.com', {}, (_error, address) => answers.push(address));
    }
    expect(callbacks).toHaveLength(1);
    callbacks[0]?.(null, [{ address: '93.184.216.34', family: 4 }]);
    expect(answers).toEqual(Array(5).fill('93.184.216.34'));
  });
});
