import type { Closure } from './closure.ts';
import { type Counted, LineTally } from './equation.ts';
import type { Members } from './json.ts';
import { type OnLines, sealOfStream } from './ledger.ts';
import type { Lines } from './lines.ts';

/** Whether lines are those of a report, and come to its counts; or the first thing that does not hold, in one sentence. */
export type LedgerVerdict =
  | { ok: true; lines: number }
  | { ok: false; fault: 'ledger' | 'counts'; why: string };

/**
 * Hashes every line of a ledger, compares the root with the one that was signed, and what the lines say with what the report
 * counts. `onLine` is told of each, before anything is known of the whole.
 */
export async function checkLedger(
  items: Lines,
  { ledger, ...counted }: Pick<Closure, 'ledger' | 'counts'> & Partial<Counted>,
  onLines?: OnLines,
  onLine?: (line: Members | undefined) => void,
): Promise<LedgerVerdict> {
  const fails = (fault: 'ledger' | 'counts', why: string): LedgerVerdict => ({ ok: false, fault, why });
  const tally = new LineTally();
  const seal = await sealOfStream(items, onLines, (line) => {
    tally.add(line);
    onLine?.(line);
  });
  if (seal.lines !== ledger.lines)
    return fails('ledger', `The ledger has ${seal.lines} lines, and ${ledger.lines} were signed.`);
  if (seal.merkleRoot !== ledger.merkleRoot)
    return fails('ledger', 'A line of the ledger is not as it was signed: its lines have another root.');
  const why = tally.fault(counted);
  return why === undefined ? { ok: true, lines: seal.lines } : fails('counts', why);
}
