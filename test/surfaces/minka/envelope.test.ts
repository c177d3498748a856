import { describe, expect, test } from '@jest/globals';
import { type Envelope, envelopeFault, hashOf } from '../../../src/surfaces/minka/envelope.ts';
import { isVerified, printedText } from '../../support/surfaces/minka-client.ts';

const NAMES = ['request', '401', '403', '404', '422', '500'] as const;

async function printed(name: (typeof NAMES)[number]): Promise<Envelope> {
  return JSON.parse(await printedText(name));
}

/** The text with one bit of one of its characters flipped. */
function flipped(text: string, bit: number): string {
  const at = Math.floor(bit / 8);
  const char = String.fromCharCode(text.charCodeAt(at) ^ (1 << (bit % 8)));
  return `${text.slice(0, at)}${char}${text.slice(at + 1)}`;
}

/** Every text in a value, with a way to put another in its place. */
function* texts(
  value: unknown,
  put: (next: unknown) => void,
): Generator<{ text: string; put(next: string): void }> {
  if (typeof value === 'string') yield { text: value, put };
  else if (typeof value === 'object' && value !== null)
    for (const [name, member] of Object.entries(value))
      yield* texts(member, (next) => {
        (value as Record<string, unknown>)[name] = next;
      });
}

describe.each(NAMES)('the signed body %s of the document', (name) => {
  test('is verified as it is printed, by us and by the rule as a client reads it', async () => {
    const envelope = await printed(name);
    expect(envelopeFault(envelope)).toBeUndefined();
    expect(isVerified(envelope)).toBe(true);
  });

  test.each(['digest', 'public', 'result'] as const)(
    'is refused for its signature with any bit of its %s flipped',
    async (member) => {
      const envelope = await printed(name);
      const [proof] = envelope.meta?.proofs ?? [];
      if (!proof) throw new Error('there is no proof');
      const text = proof[member];
      for (let bit = 0; bit < text.length * 8; bit += 1) {
        proof[member] = flipped(text, bit);
        expect(envelopeFault(envelope)).toEqual({ fault: 'signature', public: proof.public });
      }
      proof[member] = text;
      expect(envelopeFault(envelope)).toBeUndefined();
    },
  );

  test('is refused for its hash with any bit of its hash flipped', async () => {
    const envelope = await printed(name);
    const { hash } = envelope;
    for (let bit = 0; bit < hash.length * 8; bit += 1) {
      envelope.hash = flipped(hash, bit);
      expect(envelopeFault(envelope)).toEqual({ fault: 'hash', hash: envelope.hash });
    }
  });

  test('is refused for its hash with any bit of its data flipped', async () => {
    const envelope = await printed(name);
    let seen = 0;
    for (const { text, put } of texts(envelope.data, () => {})) {
      for (let bit = 0; bit < text.length * 8; bit += 1) {
        put(flipped(text, bit));
        expect(envelopeFault(envelope)).toEqual({ fault: 'hash', hash: envelope.hash });
        seen += 1;
      }
      put(text);
    }
    if (name === 'request') {
      for (let bit = 0; bit < 31; bit += 1)
        expect(envelopeFault({ ...envelope, data: { maxAge: 60 ^ (1 << bit) } })).toMatchObject({
          fault: 'hash',
        });
      expect(envelopeFault({ ...envelope, data: { maxage: 60 } })).toMatchObject({ fault: 'hash' });
    } else expect(seen).toBeGreaterThan(100);
  });

  test('is refused for its signature with any bit flipped of the members that are signed together with the hash', async () => {
    const envelope = await printed(name);
    const [proof] = envelope.meta?.proofs ?? [];
    if (!proof?.custom) throw new Error('there is no custom');
    const moment = String(proof.custom.moment);
    for (let bit = 0; bit < moment.length * 8; bit += 1) {
      proof.custom.moment = flipped(moment, bit);
      expect(envelopeFault(envelope)).toEqual({ fault: 'signature', public: proof.public });
    }
    delete proof.custom;
    expect(envelopeFault(envelope)).toMatchObject({ fault: 'signature' });
  });
});

describe('a hash', () => {
  test('does not depend on the order of members', () => {
    expect(hashOf({ b: 1, a: { d: [2, 3], c: null } })).toBe(hashOf({ a: { c: null, d: [2, 3] }, b: 1 }));
  });
});
