import { argument, type Command, command } from '../command/command.ts';
import { completionScript, SHELLS } from '../command/completion-script.ts';
import { usage } from '../core/stop.ts';

const completion = command({
  path: ['completion'],
  summary: 'Print the completion for a shell',
  examples: [
    'source <(redrive completion bash)',
    'source <(redrive completion zsh)',
    'redrive completion fish | source',
  ],
  args: { shell: argument(SHELLS.join(', ')) },
  async run({ out }, { args }) {
    const shell = SHELLS.find((each) => each === args.shell);
    if (!shell) throw usage(`Expected one of ${SHELLS.join(', ')}, not "${args.shell}".`);
    // It is made of all commands, and loaded by none of them.
    const { allCommands, GROUPS } = await import('../command/groups.ts');
    await out.text(completionScript(shell, GROUPS, await allCommands()));
  },
});

/** The command that completes others. */
export const COMPLETION: readonly Command[] = [completion];
