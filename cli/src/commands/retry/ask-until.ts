import { setTimeout as delay } from 'node:timers/promises';
import { Away } from '../../core/away.ts';
import { mistakeOf } from '../../core/mistake.ts';
import { mayPass } from '../../core/patience.ts';
import type { Context } from '../../shell/context.ts';
import type { WaitLimits } from './wait-limits.ts';

/** Between two answers that are none yet. */
const PAUSE_MS = 500;
/** Before a server that is away is asked once more. */
const AWAY_MS = 2_000;

/**
 * Asks again and again until there is an answer, also where the server is away for a while; undefined where the time is
 * over. A refusal is thrown, and so is what `limits` says of a server that was away for too long.
 */
export async function askUntil<Answer>(
  { speaker }: Context,
  limits: WaitLimits,
  ask: (signal: AbortSignal) => Promise<Answer | undefined>,
): Promise<Answer | undefined> {
  const { signal } = limits;
  const away = new Away();
  const pause = (ms: number) => delay(ms, undefined, { signal }).catch(() => {});
  while (!signal.aborted) {
    try {
      const answer = await ask(signal);
      limits.found();
      const found = away.found();
      if (found !== undefined) speaker.say(found);
      if (answer !== undefined) return answer;
      await pause(PAUSE_MS);
    } catch (error) {
      if (signal.aborted) break;
      if (!mayPass(error)) throw error;
      limits.lost();
      const lost = away.lost(mistakeOf(error).what);
      if (lost !== undefined) speaker.say(lost);
      await pause(AWAY_MS);
    }
  }
  if (limits.given) throw limits.given;
  return undefined;
}
