import { Stop } from './stop.ts';
import { counted, whole } from './text.ts';

/** Above it a yes is not enough: the number has to be said. */
const MANY = 10_000;

/** How many it is about: what a plan would send, or what is settled. */
export interface Sends {
  items: number;
  /** So many of them may arrive twice. */
  duplicates: number;
}

/** What was said on the command line. */
export interface Said {
  yes?: boolean | undefined;
  confirmItems?: number | undefined;
  acceptDuplicates?: boolean | undefined;
}

/** Whether it may be sent, has to be asked for (by a yes or by its number), or is not to be sent. */
export type Consent = { go: true } | { go: false; ask: 'yes' | 'number' };

/**
 * Judges what was said against how many it is about: up to 10,000 `--yes` is enough, above it `--confirm-items` has to
 * name their number, and where some may arrive twice `--accept-duplicates` as well. Without a terminal nothing can
 * be asked, and what was not said is a no.
 */
export function judgeConsent({ items, duplicates }: Sends, said: Said, terminal: boolean): Consent {
  const missing: string[] = [];
  if (said.confirmItems !== undefined && said.confirmItems !== items)
    throw new Stop(
      'notConfirmed',
      `--confirm-items says ${whole(said.confirmItems)}, and it is about ${counted(items, 'delivery', 'deliveries')}.`,
      `look at it again, and say --confirm-items ${items} if that is what you want`,
    );
  if (items > MANY) {
    if (said.confirmItems === undefined) missing.push(`--confirm-items ${items}`);
  } else if (said.yes !== true && said.confirmItems === undefined) missing.push('--yes');
  if (duplicates > 0 && said.acceptDuplicates !== true) missing.push('--accept-duplicates');
  if (missing.length === 0) return { go: true };
  if (terminal) return { go: false, ask: items > MANY || duplicates > 0 ? 'number' : 'yes' };
  const why =
    duplicates > 0 && said.acceptDuplicates !== true
      ? `${counted(duplicates, 'delivery', 'deliveries')} may arrive twice, and nobody can be asked: there is no terminal.`
      : 'Nobody can be asked: there is no terminal.';
  throw new Stop('notConfirmed', `Not confirmed. ${why}`, `say ${missing.join(' ')}`);
}

/** Whether the answer to the question is the one that it asks for. */
export function isConsent(answer: string, ask: 'yes' | 'number', items: number): boolean {
  const text = answer.trim().toLowerCase();
  if (ask === 'yes') return text === 'y' || text === 'yes';
  return text.replace(/[\s,.'’_]/g, '') === String(items);
}
