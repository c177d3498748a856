import type { OutageRules } from '../../domain/outages/outage-rules.ts';
import type { Chore, ChoreDeps } from '../../loops/chore.ts';
import type { RecoveryDeps } from '../recovery-deps.ts';
import { lookAtOutages } from './look-at-outages.ts';

/** The chore that finds endpoints that are back, and what is to follow. */
export function outagesChore(
  { stop, attempt }: ChoreDeps,
  recovery: RecoveryDeps,
  rules: OutageRules,
): Chore {
  return { name: 'outages', run: () => lookAtOutages(recovery, rules, stop, attempt) };
}
