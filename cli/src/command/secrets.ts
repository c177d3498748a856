import { Stop } from '../core/stop.ts';
import type { Context } from '../shell/context.ts';
import { writePrivately } from '../shell/profiles.ts';
import { value } from './command.ts';

/** Where something secret goes that is shown once. */
export const SECRET_FLAG = {
  secretFile: value('<file>', 'where the secret is written (0600); a terminal shows it where left out'),
};

/**
 * Refuses to make something secret that would get lost, or land in a log: it is for a file, or for somebody who looks at
 * a terminal.
 */
export function secretPlace({ outIsTerminal }: Context, secretFile: string | undefined): void {
  if (secretFile === undefined && !outIsTerminal)
    throw new Stop(
      'usage',
      'A secret is shown once, and standard output is no terminal.',
      'say where it goes: --secret-file <file>',
    );
}

/** Writes what was made: its secret apart, where a file was named. */
export async function writeSecret<Made extends object>(
  { out, speaker }: Context,
  made: Made,
  member: keyof Made & string,
  secretFile: string | undefined,
): Promise<void> {
  if (secretFile === undefined) {
    await out.one(made);
    speaker.say('It is shown now, and never again.');
    return;
  }
  await writePrivately(secretFile, `${String(made[member])}\n`);
  const { [member]: _, ...rest } = made;
  await out.one(rest);
  speaker.say(`The ${member} is in ${secretFile}, readable for you alone.`);
}
