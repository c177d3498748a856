import type { Exit } from '../core/exit-codes.ts';
import type { FilesVerdict } from '../proof/verify.ts';
import type { Context } from '../shell/context.ts';

/** Writes what a look at files came to, and says it in one sentence. */
export async function writeVerdict({ out, speaker }: Context, verdict: FilesVerdict): Promise<Exit> {
  await out.one(verdict.facts);
  if (verdict.ok) speaker.say(`${speaker.style.green('Verified.')} ${verdict.says}`);
  else speaker.must(`${speaker.style.red('Not verified:')} ${verdict.says}`);
  return verdict.ok ? 'done' : 'notVerified';
}
