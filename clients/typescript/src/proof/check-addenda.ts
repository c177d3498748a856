import type { Closure } from './closure.ts';
import { type Counts, PARTS } from './equation.ts';
import { isObject, type Members } from './json.ts';
import { isJws, type KeySet, type Verdict, verifyJws } from './jws.ts';

/** A report that was verified, which the addenda amend. */
export interface AmendedReport {
  closure: Pick<Closure, 'operation' | 'counts'>;
  /** SHA-256 of what was signed, in hexadecimal. */
  digest: string;
}

/** Whether addenda hold, with what they say and the counts that they make of those of the report; or the first fault. */
export type AddendaVerdict =
  | {
      ok: true;
      addenda: Members[];
      /** The counts of the report with every change that was told since. */
      countsNow: Counts;
      /** The state of each item that they tell of, by its execution: as the report has it. */
      before: ReadonlyMap<string, string>;
    }
  | { ok: false; why: string };

const ADDENDUM_TYPE = 'redrive-addendum+json';

/**
 * Verifies all addenda of a report, oldest first: each is signed, none is missing, what it counts is what its items say, an
 * item goes on from what was told of it last, and no count of the report falls below nothing.
 */
export function checkAddenda(
  given: readonly unknown[],
  { closure, digest }: AmendedReport,
  keys: KeySet,
): AddendaVerdict {
  const addenda: Members[] = [];
  const countsNow = { ...closure.counts };
  const before = new Map<string, string>();
  const told = new Map<string, string>();
  for (const [index, each] of given.entries()) {
    const number = index + 1;
    const read = readAddendum(each, { keys, digest, operation: closure.operation, number });
    if (typeof read === 'string') return { ok: false, why: read };
    const changes = changesIn(read);
    if (changes === undefined)
      return { ok: false, why: `Addendum ${number} does not say what became of its items.` };
    const wrong = countFault(number, read.counts, changes) ?? takeSteps(number, changes, told);
    if (wrong !== undefined) return { ok: false, why: wrong };
    for (const { executionId, from, to } of changes) {
      if (!before.has(executionId)) before.set(executionId, from);
      countsNow[from] -= 1;
      countsNow[to] += 1;
    }
    const below = PARTS.find((part) => countsNow[part] < 0);
    if (below !== undefined)
      return {
        ok: false,
        why: `Addendum ${number} settles more items that were ${below} than the report has: do not rely on it, and ask whoever signed both.`,
      };
    addenda.push(read);
  }
  return { ok: true, addenda, countsNow, before };
}

/** What does not hold between the items of addenda and the lines of the ledger, by the states that these have. */
export function beforeFault(
  before: ReadonlyMap<string, string>,
  states: ReadonlyMap<string, string>,
): string | undefined {
  for (const [executionId, state] of before)
    if (states.get(executionId) !== state)
      return `The addenda say of ${executionId} that it was ${state}, and its line of the ledger ${states.has(executionId) ? `says ${states.get(executionId)}` : 'is not there'}: ask whoever signed both.`;
  return undefined;
}

type Part = (typeof PARTS)[number];

interface Change {
  executionId: string;
  from: Part;
  to: Part;
}

/** What an addendum says, or why it counts for nothing. */
function readAddendum(
  given: unknown,
  { keys, digest, operation, number }: { keys: KeySet; digest: string; operation: string; number: number },
): Members | string {
  const view = isObject(given) && isJws(given.jws) ? given : undefined;
  const jws = view ? view.jws : given;
  if (!isJws(jws)) return `Addendum ${number} is no signature.`;
  const verdict = verifyJws(jws, keys);
  if (!verdict.holds) return `Addendum ${number}: ${verdict.why}`;
  const { payload, type } = verdict;
  if (type !== ADDENDUM_TYPE) return `Addendum ${number} is signed as ${type ?? 'something without a type'}.`;
  if (payload.v !== 1)
    return `Addendum ${number} has a form that is not known here: verify it with a newer version.`;
  if (payload.report !== digest || payload.operation !== operation)
    return `Addendum ${number} amends another report.`;
  if (payload.number !== number)
    return `Addendum ${number} is missing: the one in its place is number ${String(payload.number)}.`;
  if (view && !agrees(view, verdict))
    return `Addendum ${number}: what stands beside it is not what was signed.`;
  return payload;
}

type Signed = Extract<Verdict, { holds: true }>;

/** Whether all that stands beside the signature of an addendum was signed. */
function agrees({ jws: _, ...beside }: Members, { payload, kid, digest }: Signed): boolean {
  const { number, signedAt, items } = payload;
  const changes = Array.isArray(items) ? items.length : undefined;
  const known: Members = { number, signedAt, changes, kid, digest };
  return Object.entries(beside).every(([name, value]) => Object.hasOwn(known, name) && known[name] === value);
}

function changesIn({ items }: Members): Change[] | undefined {
  if (!Array.isArray(items)) return undefined;
  const changes = items.filter(
    (item): item is Change =>
      isObject(item) && typeof item.executionId === 'string' && isPart(item.from) && isPart(item.to),
  );
  return changes.length === items.length ? changes : undefined;
}

function isPart(value: unknown): value is Part {
  return PARTS.some((part) => part === value);
}

/** Compares the counts of an addendum with those that its items come to. */
function countFault(number: number, counts: unknown, changes: readonly Change[]): string | undefined {
  const sums = new Map<string, number>();
  for (const { from, to } of changes) {
    sums.set(from, (sums.get(from) ?? 0) - 1);
    sums.set(to, (sums.get(to) ?? 0) + 1);
  }
  const said = isObject(counts) ? counts : {};
  const wrong = [...new Set([...Object.keys(said), ...sums.keys()])].find(
    (part) => (said[part] ?? 0) !== (sums.get(part) ?? 0),
  );
  return wrong === undefined
    ? undefined
    : `Addendum ${number} says that ${wrong} changes by ${String(said[wrong] ?? 0)}, and its items come to ${sums.get(wrong) ?? 0}: ask whoever signed it.`;
}

/** Notes what is told of each item, unless it goes on from another state than the one that was told of it last. */
function takeSteps(
  number: number,
  changes: readonly Change[],
  told: Map<string, string>,
): string | undefined {
  for (const { executionId, from, to } of changes) {
    const last = told.get(executionId) ?? from;
    if (last !== from)
      return `Addendum ${number} says of ${executionId} that it was ${from}, and what was told of it last is ${last}: ask whoever signed both.`;
    told.set(executionId, to);
  }
  return undefined;
}
