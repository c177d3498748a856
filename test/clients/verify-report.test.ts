import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { beforeAll, describe, expect, test } from '@jest/globals';
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
const LINES = Array.from({ length: 5 }, (_, n) => `{"deliveryId":"dlv_${n}","state":"delivered"}`);
const LEDGER = `${LINES.join('\n')}\n`;
const CLOSURE = { v: 1, operation: OPERATION, counts: { expected: 5 }, ledger: sealOf(sha256, LINES) };

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
const addendum = (number: number, change: object = {}) =>
  sign({ v: 1, operation: OPERATION, report: digest, number, items: [], ...change }, ADDENDUM_TYPE);

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
    ['proof: The line is not in the ledger', async () => ({ proof: { ...proofOf(1), leafIndex: 2 } })],
    ['proof: This is no proof', async () => ({ proof: { line: LINES[0] } })],
    ['addenda: Addendum 1 is no signature', async () => ({ addenda: [{ number: 1 }] })],
    [
      'addenda: Addendum 1 amends another report',
      async () => ({ addenda: [await addendum(1, { report: 'x' })] }),
    ],
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
