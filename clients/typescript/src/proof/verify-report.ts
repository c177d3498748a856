import { beforeFault, checkAddenda } from './check-addenda.ts';
import { checkLedger } from './check-ledger.ts';
import { CLOSURE_TYPE, type Closure, closureFault, isClosureOf } from './closure.ts';
import { hasOnly, isObject, type Members, objectIn, valueIn } from './json.ts';
import { isJws, type Jwk, type Jws, type KeySet, verifyJws } from './jws.ts';
import { isInLedger, type LineProof, type OnLines } from './ledger.ts';
import type { Lines } from './lines.ts';

/**
 * A signed report, the keys that one trusts, and what else was handed over with it. Files are best handed over as texts:
 * where a member stands twice, whatever reads them elsewhere may show the one that was not verified.
 */
export interface ReportEvidence {
  /** The answer of `GET /api/v1/retries/{id}/report` with `Accept: application/jose+json`. */
  report: Jws | Members | string;
  /** A copy of `/.well-known/redrive/jwks.json`, best of all an old one of your own. */
  keys: KeySet;
  /** The operation that it has to be about; any where left out. */
  operation?: string | undefined;
  /** The ledger, as `GET …/items` gives it with `Accept: application/x-ndjson`: every line is hashed and counted. */
  items?: Lines | undefined;
  /** Told how many lines of the ledger have been read. */
  onLines?: OnLines | undefined;
  /** The answer of `GET …/items/{deliveryId}/proof`. */
  proof?: LineProof | Members | string | undefined;
  /** What was settled later: the answer of `GET …/report/addenda`, or the signatures in it, oldest first. */
  addenda?: readonly unknown[] | Members | string | undefined;
}

/** Whether a report holds, with what it says; or the first thing that does not, in one sentence. */
export type ReportVerdict =
  | {
      ok: true;
      closure: Closure;
      kid: string;
      /** Of the key (RFC 7638): compare it with one that you kept. */
      thumbprint: string;
      key: Jwk;
      /** SHA-256 of what was signed, in hexadecimal. */
      digest: string;
      /** Lines of the ledger that were hashed, where it was given. */
      lines?: number;
      /** The line that was proved, where a proof was given. */
      line?: Members;
      /** What the addenda say, where they were given. */
      addenda?: Members[];
      /** The counts of the report with what the addenda have changed of them, where they were given. */
      countsNow?: Closure['counts'];
    }
  | { ok: false; fault: 'signature' | 'form' | 'counts' | 'ledger' | 'proof' | 'addenda'; why: string };

/** Verifies a report, its ledger, a line of it and its addenda without asking anybody. */
export async function verifyReport({
  keys,
  operation,
  items,
  onLines,
  ...evidence
}: ReportEvidence): Promise<ReportVerdict> {
  const [report, proof, addenda] = [evidence.report, evidence.proof, evidence.addenda].map(spoken);
  const fails = (fault: Extract<ReportVerdict, { ok: false }>['fault'], why: string): ReportVerdict => ({
    ok: false,
    fault,
    why,
  });
  if (!isJws(report))
    return fails(
      'form',
      'This is no signed report: expected an object with protected, payload and signature.',
    );
  const verdict = verifyJws(report, keys);
  if (!verdict.holds) return fails('signature', `The report: ${verdict.why}`);
  const { payload, digest, type, kid, thumbprint, key } = verdict;
  if (type !== CLOSURE_TYPE || !isClosureOf(payload))
    return fails('form', `It is signed, but as ${type ?? 'something without a type'}, and not as a report.`);
  if (operation !== undefined && payload.operation !== operation)
    return fails('form', `It is the report of ${payload.operation}, and not of ${operation}.`);
  const wrong = closureFault(payload);
  if (wrong) return fails(wrong.fault, wrong.why);
  const { ledger } = payload;
  const holds: ReportVerdict = { ok: true, closure: payload, kid, thumbprint, key, digest };

  const given = isObject(addenda) ? addenda.items : addenda;
  if (evidence.addenda !== undefined && !Array.isArray(given))
    return fails('addenda', 'This is no list of addenda.');
  const amended = Array.isArray(given) ? checkAddenda(given, { closure: payload, digest }, keys) : undefined;
  if (amended?.ok === false) return fails('addenda', amended.why);
  if (amended) {
    holds.addenda = amended.addenda;
    holds.countsNow = amended.countsNow;
  }
  if (items !== undefined) {
    const states = new Map<string, string>();
    const checked = await checkLedger(items, payload, onLines, (line) => {
      const executionId = String(line?.executionId);
      if (amended?.before.has(executionId)) states.set(executionId, String(line?.state));
    });
    if (!checked.ok) return checked;
    holds.lines = checked.lines;
    const why = amended && beforeFault(amended.before, states);
    if (why !== undefined) return fails('addenda', why);
  }
  if (evidence.proof !== undefined) {
    if (!isLineProof(proof)) return fails('proof', 'This is no proof of a line: expected its line and path.');
    const line = objectIn(proof.line);
    if (!line || !isInLedger(proof, ledger))
      return fails('proof', 'The line is not in the ledger that was signed: its path leads to another root.');
    if (
      (proof.merkleRoot ?? ledger.merkleRoot) !== ledger.merkleRoot ||
      (proof.reportDigest ?? digest) !== digest
    )
      return fails('proof', 'The proof says that it is of another report.');
    holds.line = line;
  }
  return holds;
}

/** What was handed over, read where it is a text; undefined where that says no one thing. */
function spoken(given: unknown): unknown {
  return typeof given === 'string' ? valueIn(given) : given;
}

const PROOF = ['line', 'leafIndex', 'treeSize', 'path', 'merkleRoot', 'reportDigest'];

function isLineProof(proof: unknown): proof is LineProof & { merkleRoot?: unknown; reportDigest?: unknown } {
  return (
    isObject(proof) &&
    hasOnly(proof, PROOF) &&
    typeof proof.line === 'string' &&
    typeof proof.leafIndex === 'number' &&
    typeof proof.treeSize === 'number' &&
    Array.isArray(proof.path) &&
    proof.path.every((each) => typeof each === 'string')
  );
}
