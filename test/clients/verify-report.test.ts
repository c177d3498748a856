import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { exportJWK, FlattenedSign, generateKeyPair } from 'jose';
import { type Jws, type ReportEvidence, verifyReport } from '../../clients/typescript/src/index.ts';
import { canonicalJson } from '../../src/domain/json/canonical-json.ts';
import { ADDENDUM_TYPE } from '../../src/domain/proof/addendum-payload.ts';
import { CLOSURE_TYPE } from '../../src/domain/proof/closure-payload.ts';
import { toHex } from '../../src/domain/proof/hex.ts';
import { leafHash, pathOf } from '../../src/domain/proof/merkle-tree.ts';
import { sealOf } from '../../src/domain/proof/verification.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

const OPERATION = 'op_01k9z3e5hbe7r9qk2m4n6p8r0s';
const LINES = Array.from(
  { length: 5 },
  (_, n) => `{"deliveryId":"dlv_${n}","kind":"item","state":"delivered"}`,
);
const LEDGER = `${LINES.join('\n')}\n`;
const NONE = {
  ...{ delivered: 0, failed: 0, unknown: 0, sending: 0, queued: 0, scheduled: 0 },
  ...{ ignored: 0, cancelled: 0, superseded: 0, excluded: 0 },
};
const COUNTS = { ...NONE, expected: 5, delivered: 5 };
const CLOSURE = { v: 1, operation: OPERATION, counts: COUNTS, ledger: sealOf(sha256, LINES) };

let keys: ReportEvidence['keys'];
let sign: (payload: object, typ: string) => Promise<Jws>;
let report: Jws;
let digest: string;

beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true });
  keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'sgk_1' }] };
  sign = async (payload, typ) =>
    (await new FlattenedSign(Buffer.from(canonicalJson(payload)))
      .setProtectedHeader({ alg: 'EdDSA', kid: 'sgk_1', typ })
      .sign(privateKey)) as Jws;
  report = await sign(CLOSURE, CLOSURE_TYPE);
  digest = sha256(Buffer.from(canonicalJson(CLOSURE))).toString('hex');
});

const proofOf = (at: number) => ({
  line: LINES[at] ?? '',
  leafIndex: at,
  treeSize: LINES.length,
  path: pathOf(
    sha256,
    LINES.map((line) => leafHash(sha256, Buffer.from(line))),
    at,
  ).map(toHex),
});
/** A report by our own key: what it says is anybody's. */
const saying = (change: object) => sign({ ...CLOSURE, ...change }, CLOSURE_TYPE);
const addendum = (number: number, change: object = {}) =>
  sign({ v: 1, operation: OPERATION, report: digest, number, items: [], ...change }, ADDENDUM_TYPE);

const item = (executionId: string, from: string, to: string) => ({ executionId, from, to });

/** A report of an item that may have arrived, one that nobody knew of, and one that was left out; with its ledger. */
async function mixed(change: object = {}) {
  const lines = [
    '{"executionId":"exe_1","kind":"item","mayHaveArrived":true,"state":"failed"}',
    '{"executionId":"exe_2","kind":"item","mayHaveArrived":true,"state":"unknown"}',
    '{"kind":"exclusion","reason":"resent"}',
  ];
  const said = {
    counts: { ...NONE, expected: 3, failed: 1, unknown: 1, excluded: 1 },
    ...{ mayHaveArrived: 1, exclusions: { resent: 1 }, ledger: sealOf(sha256, lines), ...change },
  };
  const digestOf = sha256(Buffer.from(canonicalJson({ ...CLOSURE, ...said }))).toString('hex');
  return {
    report: await saying(said),
    items: lines.join('\n'),
    addendum: (number: number, counts: object, items: object[]) =>
      addendum(number, { report: digestOf, counts, items }),
  };
}

/** The sentence that says what failed. */
async function failure(evidence: Partial<ReportEvidence>): Promise<string> {
  const verdict = await verifyReport({ report, keys, ...evidence });
  return verdict.ok ? 'holds' : `${verdict.fault}: ${verdict.why}`;
}

test('a report holds with its ledger, a line of it and its addenda, however they are handed over', async () => {
  const told: number[] = [];
  for (const items of [LEDGER, Buffer.from(LEDGER), Readable.from([LEDGER.slice(0, 60), LEDGER.slice(60)])]) {
    const verdict = await verifyReport({
      ...{ report, keys, operation: OPERATION, items, proof: proofOf(3) },
      onLines: (lines) => told.push(lines),
      addenda: [await addendum(1), { number: 2, jws: await addendum(2) }],
    });
    expect(verdict).toMatchObject({
      ok: true,
      ...{ closure: CLOSURE, kid: 'sgk_1', digest, lines: 5 },
      line: { deliveryId: 'dlv_3' },
      addenda: [{ number: 1 }, { number: 2 }],
    });
  }
  expect(told).toEqual([5, 5, 5]);
});

test('addenda change the counts of a report as their items say', async () => {
  const it = await mixed();
  const addenda = [
    await it.addendum(1, { unknown: -1, scheduled: 1 }, [item('exe_2', 'unknown', 'scheduled')]),
    await it.addendum(2, { scheduled: -1, failed: -1, delivered: 2 }, [
      item('exe_1', 'failed', 'delivered'),
      item('exe_2', 'scheduled', 'delivered'),
    ]),
  ];
  expect(await verifyReport({ ...{ report: it.report, items: it.items }, keys, addenda })).toMatchObject({
    ok: true,
    countsNow: { ...NONE, expected: 3, delivered: 2, excluded: 1 },
  });
});

describe('what failed is said in one sentence', () => {
  test.each<[string, () => Promise<Partial<ReportEvidence>>]>([
    ['form: This is no signed report', async () => ({ report: { counts: {} } })],
    ['signature: The report: No key of the set', async () => ({ keys: { keys: [] } })],
    [
      'signature: The report: The signature is not by this key',
      async () => ({ report: { ...report, payload: report.payload.slice(4) } }),
    ],
    [
      'form: It is signed, but as redrive-addendum+json',
      async () => ({ report: await sign(CLOSURE, ADDENDUM_TYPE) }),
    ],
    [
      'form: It is signed, but as redrive-closure+json',
      async () => ({ report: await sign({ operation: 7 }, CLOSURE_TYPE) }),
    ],
    [`form: It is the report of ${OPERATION}, and not of op_other`, async () => ({ operation: 'op_other' })],
    ['ledger: The ledger has 4 lines, and 5 were signed', async () => ({ items: LINES.slice(1).join('\n') })],
    [
      'ledger: A line of the ledger is not as it was signed',
      async () => ({ items: LEDGER.replace('dlv_3', 'dlv_4') }),
    ],
    [
      'ledger: A line of the ledger is not as it was signed',
      async () => ({ items: LINES.toReversed().join('\n') }),
    ],
    [
      'counts: The report does not add up: it expected 6, and its parts are 5',
      async () => ({ report: await saying({ counts: { ...COUNTS, expected: 6 } }) }),
    ],
    [
      'counts: The report does not say how many are excluded',
      async () => ({ report: await saying({ counts: { ...COUNTS, excluded: null } }) }),
    ],
    [
      'counts: The report does not say how many are failed',
      async () => ({ report: await saying({ counts: { ...COUNTS, delivered: 6, failed: -1 } }) }),
    ],
    ['form: The report has the form 99', async () => ({ report: await saying({ v: 99 }) })],
    [
      'form: The report has the form unnamed',
      async () => {
        const { v: _, ...unnamed } = CLOSURE;
        return { report: await sign(unnamed, CLOSURE_TYPE) };
      },
    ],
    [
      'counts: The report says that 4 are delivered, and of the lines of its ledger 5 are',
      async () => ({
        report: await saying({ counts: { ...COUNTS, delivered: 4, failed: 1 } }),
        items: LEDGER,
      }),
    ],
    [
      'counts: Line 6 of the ledger does not say what became of a delivery',
      async () => {
        const lines = [...LINES, '{"kind":"item","state":"excluded"}'];
        const counts = { ...COUNTS, expected: 6, excluded: 1 };
        return {
          report: await saying({ counts, ledger: sealOf(sha256, lines) }),
          items: lines.join('\n'),
        };
      },
    ],
    [
      'counts: The report says that 2 failed and may have arrived, and of the lines of its ledger 1 did',
      () => mixed({ mayHaveArrived: 2 }),
    ],
    [
      'counts: The report says that 1 were left out as held, and of the lines of its ledger 0 were',
      () => mixed({ exclusions: { held: 1 } }),
    ],
    [
      'addenda: Addendum 1 says that delivered changes by 2, and its items come to 1',
      async () => {
        const { report: signed, addendum: adds } = await mixed();
        const counts = { unknown: -1, delivered: 2 };
        return { report: signed, addenda: [await adds(1, counts, [item('exe_2', 'unknown', 'delivered')])] };
      },
    ],
    [
      'addenda: Addendum 1 settles more items that were unknown than the report has',
      async () => {
        const { report: signed, addendum: adds } = await mixed();
        const items = ['exe_2', 'exe_3'].map((id) => item(id, 'unknown', 'delivered'));
        return { report: signed, addenda: [await adds(1, { unknown: -2, delivered: 2 }, items)] };
      },
    ],
    [
      'addenda: Addendum 2 says of exe_2 that it was unknown, and what was told of it last is delivered',
      async () => {
        const { report: signed, addendum: adds } = await mixed();
        const again = (number: number) =>
          adds(number, { unknown: -1, delivered: 1 }, [item('exe_2', 'unknown', 'delivered')]);
        return { report: signed, addenda: [await again(1), await again(2)] };
      },
    ],
    [
      'addenda: The addenda say of exe_1 that it was unknown, and its line of the ledger says failed',
      async () => {
        const { report: signed, items, addendum: adds } = await mixed();
        const counts = { unknown: -1, delivered: 1 };
        return {
          ...{ report: signed, items },
          addenda: [await adds(1, counts, [item('exe_1', 'unknown', 'delivered')])],
        };
      },
    ],
    [
      'addenda: Addendum 1 does not say what became of its items',
      async () => ({
        addenda: [await addendum(1, { items: [{ executionId: 'exe_1', from: 'x', to: 'y' }] })],
      }),
    ],
    ['proof: The line is not in the ledger', async () => ({ proof: { ...proofOf(1), leafIndex: 2 } })],
    [
      'form: This is no signed report',
      async () => ({ report: { ...report, header: { approvedBy: 'actor:ceo' } } }),
    ],
    [
      'form: This is no signed report',
      async () => ({
        report: JSON.stringify(report).replace('{', `{"payload":"${report.payload.slice(4)}",`),
      }),
    ],
    ['proof: This is no proof', async () => ({ proof: { ...proofOf(1), approvedBy: 'actor:ceo' } })],
    [
      'proof: This is no proof',
      async () => ({ proof: JSON.stringify(proofOf(1)).replace('{', '{"line":"{}",') }),
    ],
    [
      'proof: The proof says that it is of another report',
      async () => ({ proof: { ...proofOf(1), reportDigest: '0'.repeat(64) } }),
    ],
    [
      'addenda: Addendum 1: what stands beside it is not what was signed',
      async () => ({ addenda: [{ number: 2, jws: await addendum(1) }] }),
    ],
    [
      'addenda: Addendum 1: what stands beside it is not what was signed',
      async () => ({ addenda: { items: [{ approvedBy: 'actor:ceo', jws: await addendum(1) }] } }),
    ],
    ['addenda: This is no list', async () => ({ addenda: '{"items":[],"items":[]}' })],
    ['proof: This is no proof', async () => ({ proof: { line: LINES[0] } })],
    ['addenda: Addendum 1 is no signature', async () => ({ addenda: [{ number: 1 }] })],
    [
      'addenda: Addendum 1 amends another report',
      async () => ({ addenda: [await addendum(1, { report: 'x' })] }),
    ],
    ['addenda: Addendum 1 has a form that', async () => ({ addenda: [await addendum(1, { v: 2 })] })],
    [
      'addenda: Addendum 1 is missing: the one in its place is number 2',
      async () => ({ addenda: [await addendum(2)] }),
    ],
  ])('%s', async (sentence, evidence) => {
    const said = await failure(await evidence());
    expect(said.startsWith(sentence)).toBe(true);
    expect(said).toMatch(/^\w+: [^\n]+\.$/);
  });
});

test('evidence is taken as the text of its file', async () => {
  const addenda = { items: [{ number: 1, digest: undefined, jws: await addendum(1) }], nextCursor: null };
  const texts = { report: JSON.stringify(report), proof: JSON.stringify(proofOf(3)) };
  const verdict = await verifyReport({ ...texts, keys, addenda: JSON.stringify(addenda) });
  expect(verdict).toMatchObject({ ok: true, line: { deliveryId: 'dlv_3' }, addenda: [{ number: 1 }] });
});

test('the lines prove the equation: whatever states they have, their counts hold and others do not', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...(Object.keys(NONE) as (keyof typeof NONE)[])), {
        minLength: 1,
        maxLength: 30,
      }),
      fc.constantFrom(...(Object.keys(NONE) as (keyof typeof NONE)[])),
      fc.integer({ min: 1, max: 60 }),
      async (parts, other, size) => {
        const lines = parts.map((part, at) =>
          part === 'excluded'
            ? `{"deliveryId":"dlv_ü${at}","kind":"exclusion"}`
            : `{"deliveryId":"dlv_ü${at}","kind":"item","state":"${part}"}`,
        );
        const counts = { ...NONE, expected: parts.length };
        for (const part of parts) counts[part] += 1;
        const ledger = sealOf(sha256, lines);
        const bytes = Buffer.from(lines.join('\n'));
        const items = () =>
          Readable.from(
            Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
              bytes.subarray(at * size, (at + 1) * size),
            ),
          );
        const honest = await verifyReport({ report: await saying({ counts, ledger }), keys, items: items() });
        expect(honest).toMatchObject({ ok: true, lines: parts.length });
        const [first = other] = parts;
        fc.pre(first !== other);
        const forged = { ...counts, [first]: counts[first] - 1, [other]: counts[other] + 1 };
        const verdict = await verifyReport({
          report: await saying({ counts: forged, ledger }),
          keys,
          items: items(),
        });
        expect(verdict).toMatchObject({ ok: false, fault: 'counts' });
      },
    ),
    { numRuns: 40 },
  ));
