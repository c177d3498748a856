import type { AtOnceRefusal } from '../../domain/policy/at-once.ts';
import { type Problem, problem } from './problem.ts';
import { quotaExceeded } from './quota-exceeded.ts';

/** The refusal of a call that would send again at once what has to wait; `instead` says which call can. */
export function notAtOnce(refused: AtOnceRefusal, instead: string): Problem {
  switch (refused.code) {
    case 'above_ceiling':
      return quotaExceeded(refused.beyond);
    case 'held':
      return problem('needs_approval', {
        detail: `The policy holds this for ${lackingWords(refused)}, and here nothing can wait: nothing was sent. ${instead}`,
      });
    case 'frozen':
      return problem('state_conflict', {
        detail: `A freeze window holds an endpoint of it, and here nothing can wait: nothing was sent. ${instead}`,
      });
  }
}

function lackingWords({ missing, because }: Extract<AtOnceRefusal, { code: 'held' }>): string {
  const approval = because.length > 0 ? [`approval (${because.join(', ')})`] : [];
  return [...missing.map((word) => `a ${word}`), ...approval].join(' and ');
}
