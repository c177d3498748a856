import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type ChainVerdict,
  verifyChain,
  verifyChainStream,
} from '../../clients/typescript/src/proof/verify-chain.ts';
import {
  type AuditCheckpoint,
  type AuditWords,
  entryHash,
  NO_HASH,
  type SealedEntry,
  wordsDigest,
} from '../../src/domain/audit/audit-entry.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const TENANT = 'ten_01k9z3e5hbe7r9qk2m4n6p8r0s';

/** A chain of acts, each with the words that are given for it. */
function chain(acts: readonly (AuditWords | null)[], { tenant = TENANT, seed = '' } = {}): SealedEntry[] {
  let prev = NO_HASH;
  return acts.map((words, index) => {
    const salt = words && sha256(`${seed}${index}`).slice(0, 32);
    const entry = {
      number: index + 1,
      id: `aud_${seed}${index}`,
      tenant,
      at: new Date(1_795_000_000_000 + index).toISOString(),
      actor: 'key_1',
      keyId: null,
      action: 'endpoint.changed',
      target: 'end_1',
      detail: { version: index, ratePerSecond: 0.1 * index, members: ['url', 'é'] },
      wordsDigest: words && salt ? wordsDigest(sha256, salt, words) : null,
    };
    const hash = entryHash(sha256, prev, entry);
    const sealed = { ...entry, words, salt, prev, hash };
    prev = hash;
    return sealed;
  });
}

function verify(entries: readonly SealedEntry[], checkpoints?: AuditCheckpoint[]): ChainVerdict {
  return verifyChain(
    entries.map((entry) => JSON.stringify(entry)),
    checkpoints,
  );
}

function checkpointAt(entries: readonly SealedEntry[], number: number): AuditCheckpoint {
  const { tenant, hash, at } = entries[number - 1] as SealedEntry;
  return { tenant, number, hash, at };
}

/** Numbers the entries of a list as they stand, with nothing else of them changed. */
const renumbered = (entries: readonly SealedEntry[]) =>
  entries.map((entry, index) => ({ ...entry, number: index + 1 }));

const words = fc.option(
  fc.record({ reason: fc.string(), ticket: fc.string() }, { requiredKeys: ['reason'] }),
  {
    nil: null,
  },
);
/** A chain of at least two acts, and two different numbers of it, the smaller first. */
const picked = fc.array(words, { minLength: 2, maxLength: 12 }).chain((acts) =>
  fc.record({
    acts: fc.constant(acts),
    numbers: fc
      .uniqueArray(fc.integer({ min: 1, max: acts.length }), { minLength: 2, maxLength: 2 })
      .map((two) => two.sort((a, b) => a - b) as [number, number]),
  }),
);

function holds(property: (entries: SealedEntry[], numbers: [number, number]) => void): void {
  fc.assert(fc.property(picked, ({ acts, numbers }) => property(chain(acts), numbers)));
}

test('a whole chain verifies, also from a checkpoint on, and empty', () => {
  holds((entries, [, number]) => {
    const last = entries.at(-1) as SealedEntry;
    const end = { ok: true, number: last.number, hash: last.hash };
    expect(verify(entries)).toMatchObject({ ...end, entries: entries.length, erased: 0 });
    expect(
      verify(
        entries,
        entries.map((_, index) => checkpointAt(entries, index + 1)),
      ),
    ).toMatchObject(end);
    expect(verify(entries.slice(number - 1), [checkpointAt(entries, number - 1)])).toMatchObject(end);
  });
  expect(verify([])).toEqual({ ok: true, entries: 0, number: 0, hash: NO_HASH, erased: 0 });
});

describe('a changed entry is found and named', () => {
  test.each<[string, Partial<SealedEntry>]>([
    ['its actor', { actor: 'key_2' }],
    ['its action', { action: 'endpoint.deleted' }],
    ['its target', { target: 'end_2' }],
    ['its time', { at: '2020-01-01T00:00:00.000Z' }],
    ['its key', { keyId: 'key_9' }],
    ['its detail', { detail: {} }],
    ['its id', { id: 'aud_x' }],
    ['its digest of words', { wordsDigest: 'f'.repeat(64) }],
    ['its hash', { hash: 'f'.repeat(64) }],
    ['the hash before it', { prev: 'e'.repeat(64) }],
    ['its words', { words: { reason: 'another' }, salt: 'a'.repeat(32) }],
  ])('by %s', (_, change) => {
    holds((entries, [number]) => {
      const tampered = entries.map((entry) => (entry.number === number ? { ...entry, ...change } : entry));
      expect(verify(tampered)).toEqual({ ok: false, fault: 'changed', number });
    });
  });

  test('also where it was hashed anew, by the entry behind it', () => {
    holds((entries, [number]) => {
      const tampered = entries.map((entry) => {
        if (entry.number !== number) return entry;
        const changed = { ...entry, actor: 'key_2' };
        return { ...changed, hash: entryHash(sha256, entry.prev, changed) };
      });
      expect(verify(tampered)).toEqual({ ok: false, fault: 'changed', number });
    });
  });
});

test('a missing entry is found and named, whether those behind it were renumbered or not', () => {
  holds((entries, [number]) => {
    const left = entries.filter((entry) => entry.number !== number);
    const missing = { ok: false, fault: 'missing', number };
    expect(verify(left)).toEqual(missing);
    expect(verify(renumbered(left))).toEqual(missing);
  });
});

test('missing last entries are found by a checkpoint', () => {
  holds((entries, [number, later]) => {
    const left = entries.slice(0, number);
    expect(verify(left)).toMatchObject({ ok: true });
    expect(verify(left, [checkpointAt(entries, later)])).toEqual({
      ok: false,
      fault: 'missing',
      number: number + 1,
      until: later,
    });
  });
});

test('an inserted entry is found and named, with a hash of its own or a wrong one', () => {
  holds((entries, [number]) => {
    const behind = entries[number - 1] as SealedEntry;
    const slipped = { ...behind, id: 'aud_slipped', number };
    const hashed = { ...slipped, hash: entryHash(sha256, behind.prev, slipped) };
    const inserted = { ok: false, fault: 'inserted', number };
    for (const one of [hashed, { ...slipped, hash: 'd'.repeat(64) }]) {
      const among = [...entries.slice(0, number - 1), one, ...entries.slice(number - 1)];
      expect(verify(renumbered(among))).toEqual(inserted);
    }
    // Beside the one that has its number.
    expect(verify([...entries.slice(0, number), slipped, ...entries.slice(number)])).toEqual(inserted);
  });
});

test('an entry of another tenant is none of the chain', () => {
  const [first, second] = chain([null, null]);
  const foreign = chain([null, null], { tenant: 'ten_2' });
  expect(verify([first as SealedEntry, foreign[1] as SealedEntry])).toEqual({
    ok: false,
    fault: 'inserted',
    number: 2,
  });
  expect(verify(foreign, [checkpointAt([first, second] as SealedEntry[], 2)])).toMatchObject({ ok: false });
});

test('exchanged entries are found and both named, however they were exchanged', () => {
  holds((entries, [one, other]) => {
    const [a, b] = [entries[one - 1], entries[other - 1]] as [SealedEntry, SealedEntry];
    const place = (atOne: SealedEntry, atOther: SealedEntry) =>
      entries.map((entry) => (entry === a ? atOne : entry === b ? atOther : entry));
    const exchanged = { ok: false, fault: 'exchanged', number: one, with: other };
    // Lines, rows with their hashes, and rows whose places kept theirs.
    expect(verify(place(b, a))).toEqual(exchanged);
    expect(verify(place({ ...b, number: one }, { ...a, number: other }))).toEqual(exchanged);
    const links = ({ number, prev, hash }: SealedEntry) => ({ number, prev, hash });
    expect(verify(place({ ...b, ...links(a) }, { ...a, ...links(b) }))).toEqual(exchanged);
  });
});

test('a chain that was rewritten and hashed anew is found by an old checkpoint', () => {
  fc.assert(
    fc.property(picked, ({ acts, numbers: [kept, later] }) => {
      const entries = chain(acts);
      const rewritten = chain(acts, { seed: 'anew' });
      expect(verify(rewritten)).toMatchObject({ ok: true });
      expect(verify(rewritten, [checkpointAt(entries, later)])).toEqual({
        ok: false,
        fault: 'rewritten',
        number: later,
        after: 0,
      });
      // From the entry behind the kept ones on.
      let prev = entries[kept - 1]?.hash ?? NO_HASH;
      const half = entries.map((entry) => {
        if (entry.number <= kept) return entry;
        const changed = { ...entry, actor: 'key_2', prev };
        prev = entryHash(sha256, prev, changed);
        return { ...changed, hash: prev };
      });
      const checkpoints = [later, kept].map((number) => checkpointAt(entries, number));
      expect(verify(half, checkpoints)).toEqual({
        ok: false,
        fault: 'rewritten',
        number: later,
        after: kept,
      });
    }),
  );
});

test('erased words leave a chain that verifies, and are counted', () => {
  const entries = chain([{ reason: 'r' }, null, { reason: 'r', ticket: 't' }]);
  const erased = entries.map((entry) => ({ ...entry, words: null, salt: null }));
  expect(verify(erased)).toMatchObject({ ok: true, entries: 3, erased: 2 });
});

test('the same words have another digest under another salt', () => {
  const digests = chain([{ ticket: 'INC-1' }, { ticket: 'INC-1' }]).map((entry) => entry.wordsDigest);
  expect(new Set(digests).size).toBe(2);
});

test.each([10_000, 200_000])(
  'a line that nests %d levels is named, and nobody runs out of stack',
  (levels) => {
    const [first] = chain([null]) as [SealedEntry];
    const line = JSON.stringify(first);
    const deep = `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
    for (const each of [
      line.replace(/"detail":\{.*?\}/, `"detail":${deep}`),
      `${'['.repeat(levels)}${']'.repeat(levels)}`,
    ]) {
      expect(each).not.toBe(line);
      expect(verifyChain([each])).toEqual({ ok: false, fault: 'unreadable', line: 1 });
    }
  },
);

describe('what nothing seals does not stand in a line that verifies', () => {
  const entries = chain([{ reason: 'r' }, null]);
  const lines = entries.map((entry) => JSON.stringify(entry));
  const within = (at: number, from: string | RegExp, to: string) =>
    lines.map((line, index) => {
      if (index !== at) return line;
      expect(line).toMatch(from);
      return line.replace(from, to);
    });

  test.each<[string, string[]]>([
    ['a member of another name', within(0, /^\{/, '{"approvedBy":"actor:ceo",')],
    ['another member before one of the same name', within(0, /^\{/, '{"actor":"actor:ceo",')],
    ['another member of the same name, escaped', within(0, /^\{/, '{"\\u0061ctor":"actor:ceo",')],
    ['a member twice within the facts', within(0, '"version":', '"version":7,"version":')],
    ['a member twice within the words', within(0, '"reason":', '"reason":"another","reason":')],
    ['a number that no double holds', within(1, '"keyId":null', '"keyId":1e999')],
  ])('%s', (_, changed) => {
    expect(verifyChain(lines)).toMatchObject({ ok: true });
    expect(verifyChain(changed)).toMatchObject({ ok: false, fault: 'unreadable' });
  });

  test('a salt without words', () => {
    const erased = entries.map((entry) => ({ ...entry, words: null, salt: 'approved by the board' }));
    expect(verify(erased)).toEqual({ ok: false, fault: 'changed', number: 1 });
    const none = [entries[0] as SealedEntry, { ...(entries[1] as SealedEntry), salt: 'approved' }];
    expect(verify(none)).toEqual({ ok: false, fault: 'changed', number: 2 });
  });

  test('colons, brackets and quotes within texts are texts', () => {
    const [entry] = chain([{ reason: '{"a":1,"a":[2]} \\"::\\\\' }]) as [SealedEntry];
    expect(verify([entry])).toMatchObject({ ok: true });
    expect(verifyChain([JSON.stringify(entry, null, 1).replaceAll('\n', ' ')])).toMatchObject({ ok: true });
  });
});

test.each(['', '{', 'null', '[]', '{"number":1}', '{"number":"1","prev":"","hash":"","tenant":""}'])(
  'a line that is no entry is named: %s',
  (line) => {
    const [first] = chain([null]);
    expect(verifyChain([JSON.stringify(first), line])).toEqual({
      ok: false,
      fault: 'unreadable',
      line: 2,
    });
  },
);

test('an export that is read as it is verified has the same verdict, however it is cut', async () => {
  const changes: ((entries: SealedEntry[], number: number) => unknown[])[] = [
    (entries) => entries,
    (entries, number) => entries.filter((entry) => entry.number !== number),
    (entries, number) => entries.map((entry) => (entry.number === number ? { ...entry, actor: 'x' } : entry)),
    (entries, number) => [...entries.slice(0, number), 'no entry', ...entries.slice(number)],
    (entries) => entries.toReversed(),
  ];
  await fc.assert(
    fc.asyncProperty(
      picked,
      fc.constantFrom(...changes),
      fc.integer({ min: 1, max: 2_000 }),
      async ({ acts, numbers: [number, later] }, change, size) => {
        const entries = chain(acts);
        const checkpoints = [checkpointAt(entries, later)];
        const lines = change(entries, number).map((entry) => JSON.stringify(entry));
        const bytes = new TextEncoder().encode(`${lines.join('\n')}\n`);
        const read = async function* () {
          for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
        };
        expect(await verifyChainStream(read, checkpoints)).toEqual(verifyChain(lines, checkpoints));
      },
    ),
  );
});
