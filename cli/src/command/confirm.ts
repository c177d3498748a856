import { isConsent, judgeConsent, type Said, type Sends } from '../core/consent.ts';
import { parseCount } from '../core/pace.ts';
import { Stop } from '../core/stop.ts';
import { counted } from '../core/text.ts';
import type { Context } from '../shell/context.ts';
import { onOff, value } from './command.ts';

/** The flags by which somebody agrees beforehand. */
export const CONSENT_FLAGS = {
  yes: onOff('do not ask, for up to 10,000 deliveries'),
  confirmItems: value('<n>', 'do not ask: the number of the deliveries', parseCount),
  acceptDuplicates: onOff('do not ask: some may arrive twice'),
};

/** What is said where the answer is a no. */
export interface Refused {
  says: string;
  next?: string | undefined;
}

/** Asks a question whose answer is yes or no, unless `--yes` was said; no terminal is never a yes. */
export async function confirmed(
  { ask, canAsk }: Context,
  yes: boolean | undefined,
  question: string,
  { says, next }: Refused,
): Promise<void> {
  if (yes) return;
  if (!canAsk) throw new Stop('notConfirmed', 'Nobody can be asked: there is no terminal.', 'say --yes');
  if (!isConsent(await ask(`${question} [y/N] `), 'yes', 1)) throw new Stop('notConfirmed', says, next);
}

/** The same for what sends, or settles, many: by their number above 10,000, and where some may arrive twice. */
export async function confirmedNumber(
  context: Context,
  sends: Sends,
  said: Said,
  question: string,
  { says, next }: Refused,
): Promise<void> {
  const consent = judgeConsent(sends, said, context.canAsk);
  if (consent.go) return;
  const { items, duplicates } = sends;
  const warned = duplicates > 0 ? ` ${counted(duplicates, 'of them', 'of them')} may arrive twice.` : '';
  const how = consent.ask === 'yes' ? ' [y/N] ' : ` Type ${items} to go on: `;
  if (isConsent(await context.ask(`${question}${warned}${how}`), consent.ask, items)) return;
  throw new Stop('notConfirmed', says, next);
}
