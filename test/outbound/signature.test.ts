import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import {
  generateSecret,
  parseSecret,
  type SigningSecret,
  signatureHeaders,
} from '../../src/outbound/signature.ts';

function parsed(text: string): SigningSecret {
  const secret = parseSecret(text);
  if (secret === undefined) throw new Error('not a secret');
  return secret;
}

function secretOf(bytes: number): string {
  return `whsec_${Buffer.alloc(bytes, 7).toString('base64')}`;
}

/** The official package refuses timestamps more than five minutes old. */
function nowSeconds(): number {
  return Math.floor(Date.now() / 1_000);
}

describe('a signature', () => {
  test('is what the official package makes of the same message', () => {
    const text = generateSecret();
    const timestampSeconds = nowSeconds();
    const headers = signatureHeaders({
      id: 'dlv_1',
      timestampSeconds,
      body: '{"a":1}',
      secrets: [parsed(text)],
    });
    expect(headers).toEqual({
      'webhook-id': 'dlv_1',
      'webhook-timestamp': String(timestampSeconds),
      'webhook-signature': new Webhook(text).sign('dlv_1', new Date(timestampSeconds * 1_000), '{"a":1}'),
    });
  });

  test('is verified by the official package for any JSON, as text and as bytes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.boolean(), (payload, asBytes) => {
        const text = generateSecret();
        const json = JSON.stringify(payload);
        const headers = signatureHeaders({
          id: 'dlv_1',
          timestampSeconds: nowSeconds(),
          body: asBytes ? Buffer.from(json) : json,
          secrets: [parsed(text)],
        });
        expect(new Webhook(text).verify(json, headers)).toEqual(JSON.parse(json));
      }),
    );
  });

  test('is verified with the old and with the new secret while they rotate, and with no other', () => {
    const [older, newer] = [generateSecret(), generateSecret()];
    const headers = signatureHeaders({
      id: 'dlv_1',
      timestampSeconds: nowSeconds(),
      body: '{}',
      secrets: [parsed(newer), parsed(older)],
    });
    expect(headers['webhook-signature'].split(' ')).toHaveLength(2);
    expect(new Webhook(older).verify('{}', headers)).toEqual({});
    expect(new Webhook(newer).verify('{}', headers)).toEqual({});
    expect(() => new Webhook(generateSecret()).verify('{}', headers)).toThrow();
    expect(() => new Webhook(newer).verify('{ }', headers)).toThrow();
  });
});

describe('a secret', () => {
  test.each([24, 32, 64])('of %i bytes is accepted', (bytes) => {
    expect(parseSecret(secretOf(bytes))).toBeDefined();
  });

  test.each([
    ['too short', secretOf(23)],
    ['too long', secretOf(65)],
    ['without its prefix', secretOf(32).slice(6)],
    ['with another prefix', secretOf(32).replace('whsec', 'whsek')],
    ['with characters that are no base64', `${secretOf(32).slice(0, -4)}!?-_`],
    ['with a line break', `${secretOf(32)}\n`],
    ['empty', ''],
  ])('%s is refused', (_title, text) => {
    expect(parseSecret(text)).toBeUndefined();
  });

  test('that is generated is new each time', () => {
    expect(new Set(Array.from({ length: 100 }, generateSecret)).size).toBe(100);
  });
});
