import { mistakeOf } from '../core/mistake.ts';
import { Stop } from '../core/stop.ts';
import type { Context } from '../shell/context.ts';
import { openNamed } from '../shell/private-file.ts';
import { value } from './command.ts';

/** Where something secret goes that is shown once. */
export const SECRET_FLAG = {
  secretFile: value('<file>', 'where the secret is written (0600); a terminal shows it where left out'),
};

/**
 * Has something secret made, and writes it: apart, where a file was named. Nothing is made that would get lost, or land
 * in a log: it is for a file that can be written, or for somebody who looks at a terminal.
 */
export async function makeSecret<Made extends object>(
  context: Context,
  { secretFile, member }: { secretFile: string | undefined; member: keyof Made & string },
  make: () => Promise<Made>,
): Promise<void> {
  const { out, speaker, outIsTerminal } = context;
  if (secretFile === undefined) {
    if (!outIsTerminal)
      throw new Stop(
        'usage',
        'A secret is shown once, and standard output is no terminal.',
        'say where it goes: --secret-file <file>',
      );
    await out.one(await make());
    speaker.say('It is shown now, and never again.');
    return;
  }
  const file = await openNamed(secretFile);
  const made = await make().catch(async (error: unknown) => {
    await file.discard();
    throw error;
  });
  const { [member]: secret, ...rest } = made;
  try {
    // Before anything else is written: a reader of standard output that has gone would end this.
    await file.write(`${String(secret)}\n`);
  } catch (error) {
    await out.one(rest);
    throw new Stop(
      'failed',
      `It was made, but ${secretFile} cannot be written: ${mistakeOf(error).what}. Nobody has the ${member}.`,
      'revoke what was made, or rotate its secret',
    );
  }
  await out.one(rest);
  speaker.say(`The ${member} is in ${secretFile}, readable for you alone.`);
}
