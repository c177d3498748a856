import type { components } from '../native-api.ts';
import { isObject, type Members } from './json.ts';

/** The counts of an operation. */
export type Counts = components['schemas']['OperationCounts'];
type Part = Exclude<keyof Counts, 'expected'>;

/** The parts of the one equation; one that is forgotten does not compile. */
export const PARTS = Object.keys({
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

/** What a report counts beside its equation, for which its lines have to stand as well. */
export interface Counted {
  counts: Members;
  /** Items that failed although an attempt may have arrived. */
  mayHaveArrived?: unknown;
  /** Deliveries that were left out, by the reason. */
  exclusions?: unknown;
}

/** Counts the lines of a ledger by what a report says of them all. */
export class LineTally {
  readonly #parts = new Map<Part, number>(PARTS.map((part) => [part, 0]));
  readonly #exclusions = new Map<string, number>();
  #mayHaveArrived = 0;
  #lines = 0;
  /** The first line that is no part of it. */
  #other: number | undefined;

  add(line: Members | undefined): void {
    this.#lines += 1;
    const part = partOf(line);
    if (part === undefined) this.#other ??= this.#lines;
    else this.#parts.set(part, (this.#parts.get(part) ?? 0) + 1);
    if (part === 'failed' && line?.mayHaveArrived === true) this.#mayHaveArrived += 1;
    if (part === 'excluded') {
      const reason = String(line?.reason);
      this.#exclusions.set(reason, (this.#exclusions.get(reason) ?? 0) + 1);
    }
  }

  /** What does not hold between the lines and the counts of their report, in one sentence. */
  fault({ counts, mayHaveArrived, exclusions }: Counted): string | undefined {
    if (this.#other !== undefined)
      return `Line ${this.#other} of the ledger does not say what became of a delivery, although it was signed: ask whoever signed it.`;
    for (const [part, lines] of this.#parts)
      if (lines !== counts[part]) return differs(counts[part], `are ${part}`, lines, 'are');
    if (mayHaveArrived !== undefined && mayHaveArrived !== this.#mayHaveArrived)
      return differs(mayHaveArrived, 'failed and may have arrived', this.#mayHaveArrived, 'did');
    return isObject(exclusions) ? this.#exclusionFault(exclusions) : undefined;
  }

  #exclusionFault(exclusions: Members): string | undefined {
    for (const reason of new Set([...Object.keys(exclusions), ...this.#exclusions.keys()])) {
      const lines = this.#exclusions.get(reason) ?? 0;
      if (lines !== (exclusions[reason] ?? 0))
        return differs(exclusions[reason] ?? 0, `were left out as ${reason}`, lines, 'were');
    }
    return undefined;
  }
}

function differs(said: unknown, what: string, lines: number, verb: string): string {
  return `The report says that ${String(said)} ${what}, and of the lines of its ledger ${lines} ${verb}: rely on the lines, and ask whoever signed both.`;
}

function partOf(line: Members | undefined): Part | undefined {
  if (line?.kind === 'exclusion') return 'excluded';
  if (line?.kind !== 'item' || line.state === 'excluded') return undefined;
  return PARTS.find((part) => part === line.state);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
