import { beforeFault, checkAddenda } from './check-addenda.ts';
import { checkLedger } from './check-ledger.ts';
import { CLOSURE_TYPE, type Closure, closureFault, isClosureOf } from './closure.ts';
import { type Members, objectIn } from './json.ts';
import { isJws, type Jwk, type Jws, type KeySet, verifyJws } from './jws.ts';
import { isInLedger, type LineProof, type OnLines } from './ledger.ts';
import type { Lines } from './lines.ts';

/** A signed report, the keys that one trusts, and what else was handed over with it. */
export interface ReportEvidence {
  /** The answer of `GET /api/v1/retries/{id}/report` with `Accept: application/jose+json`. */
  report: Jws | Members;
  /** A copy of `/.well-known/redrive/jwks.json`, best of all an old one of your own. */
  keys: KeySet;
  /** The operation that it has to be about; any where left out. */
  operation?: string | undefined;
  /** The ledger, as `GET …/items` gives it with `Accept: application/x-ndjson`: every line is hashed and counted. */
  items?: Lines | undefined;
  /** Told how many lines of the ledger have been read. */
  onLines?: OnLines | undefined;
  /** The answer of `GET …/items/{deliveryId}/proof`. */
  proof?: LineProof | Members | undefined;
  /** What was settled later: the answer of `GET …/report/addenda`, or the signatures in it, oldest first. */
  addenda?: readonly unknown[] | undefined;
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
  report,
  keys,
  operation,
  items,
  onLines,
  proof,
  addenda,
}: ReportEvidence): Promise<ReportVerdict> {
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

  const amended = addenda && checkAddenda(addenda, { closure: payload, digest }, keys);
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
  if (proof !== undefined) {
    if (!isLineProof(proof)) return fails('proof', 'This is no proof of a line: expected its line and path.');
    const line = objectIn(proof.line);
    if (!line || !isInLedger(proof, ledger))
      return fails('proof', 'The line is not in the ledger that was signed: its path leads to another root.');
    holds.line = line;
  }
  return holds;
}

function isLineProof(proof: LineProof | Members): proof is LineProof {
  return (
    typeof proof.line === 'string' &&
    typeof proof.leafIndex === 'number' &&
    typeof proof.treeSize === 'number' &&
    Array.isArray(proof.path) &&
    proof.path.every((each) => typeof each === 'string')
  );
}
