import type { components } from '../native-api.ts';
import type { Members } from './json.ts';

type Counts = components['schemas']['OperationCounts'];
type Part = Exclude<keyof Counts, 'expected'>;

/** The parts of the one equation; one that is forgotten does not compile. */
const PARTS = Object.keys({
  delivered: true,
  failed: true,
  unknown: true,
  sending: true,
  queued: true,
  scheduled: true,
  ignored: true,
  cancelled: true,
  superseded: true,
  excluded: true,
} satisfies Record<Part, true>) as Part[];

/** What does not hold about the counts of a report, in one sentence; undefined where they add up. */
export function equationFault(counts: Members): string | undefined {
  const wrong = ['expected', ...PARTS].find((part) => !isCount(counts[part]));
  if (wrong !== undefined) return `The report does not say how many are ${wrong}: do not rely on it.`;
  const sum = PARTS.reduce((all, part) => all + Number(counts[part]), 0);
  return sum === counts.expected
    ? undefined
    : `The report does not add up: it expected ${counts.expected}, and its parts are ${sum}. Ask whoever signed it, and do not rely on it.`;
}

/** Counts the lines of a ledger by the part of the equation that each of them is. */
export class LineTally {
  readonly #parts = new Map<Part, number>(PARTS.map((part) => [part, 0]));
  #lines = 0;
  /** The first line that is no part of it. */
  #other: number | undefined;

  add(line: Members | undefined): void {
    this.#lines += 1;
    const part = partOf(line);
    if (part === undefined) this.#other ??= this.#lines;
    else this.#parts.set(part, (this.#parts.get(part) ?? 0) + 1);
  }

  /** What does not hold between the lines and the counts of their report, in one sentence. */
  fault(counts: Members): string | undefined {
    if (this.#other !== undefined)
      return `Line ${this.#other} of the ledger does not say what became of a delivery, although it was signed: ask whoever signed it.`;
    for (const [part, lines] of this.#parts)
      if (lines !== counts[part])
        return `The report says that ${String(counts[part])} are ${part}, and of the lines of its ledger ${lines} are: rely on the lines, and ask whoever signed both.`;
    return undefined;
  }
}

function partOf(line: Members | undefined): Part | undefined {
  if (line?.kind === 'exclusion') return 'excluded';
  if (line?.kind !== 'item' || line.state === 'excluded') return undefined;
  return PARTS.find((part) => part === line.state);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
