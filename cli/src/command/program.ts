import { Command as Commander, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { Exit } from '../core/exit-codes.ts';
import { Stop, usage } from '../core/stop.ts';
import { type Command, type Flag, flagName } from './command.ts';
import { GLOBAL_FLAGS } from './global-flags.ts';
import { GROUPS } from './groups.ts';

/** What was asked for: a command with its values, or a text to print. */
export type Asked =
  | { run: Command; args: Record<string, unknown>; flags: Record<string, unknown> }
  | { print: string; exit: Exit };

/** Reads a command line; the groups whose names stand in it are loaded, and no other. */
export async function readCommandLine(
  argv: readonly string[],
  version: string,
  { columns, all = false, globals = true }: { columns: number | undefined; all?: boolean; globals?: boolean },
): Promise<Asked> {
  let asked: Asked | undefined;
  let printed = '';
  const program = await programFor(argv, version, {
    all,
    columns,
    globals,
    print: (text) => {
      printed += text;
    },
    found: (found) => {
      asked = found;
    },
  });
  try {
    await program.parseAsync(argv as string[], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.help') return { print: printed, exit: 'usage' };
    if (error.code === 'commander.helpDisplayed') refuseUnknown(program);
    if (error.exitCode === 0) return { print: printed, exit: 'done' };
    // What is suggested stands on a line of its own.
    throw usage(error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' '), nextOf(program, argv));
  }
  return asked ?? { print: printed, exit: 'done' };
}

/** Refuses a word that is no command of its group. */
function refuseUnknown(program: Commander): void {
  const words = ['redrive'];
  let at = program;
  for (;;) {
    const [word] = at.args;
    const next = at.commands.find((each) => each.name() === word);
    if (!next) break;
    words.push(next.name());
    at = next;
  }
  const [word] = at.args;
  const takes = at.commands.length === 0 || at.registeredArguments.length > 0;
  if (word !== undefined && !word.startsWith('-') && !takes)
    throw usage(`unknown command '${word}'`, [...words, '--help'].join(' '));
}

/** Where help for what was said is found. */
function nextOf(program: Commander, argv: readonly string[]): string {
  const words: string[] = [];
  let at: Commander | undefined = program;
  for (const word of argv) {
    at = at?.commands.find((each) => each.name() === word);
    if (!at) break;
    words.push(word);
  }
  return ['redrive', ...words, '--help'].join(' ');
}

/** The help of a command, without the flags that all of them take: what docs/cli-commands.md is made of. */
export async function helpOf(path: readonly string[], version: string): Promise<string> {
  const asked = await readCommandLine([...path, '--help'], version, {
    columns: 100,
    all: true,
    globals: path.length === 0,
  });
  return 'print' in asked ? asked.print : '';
}

interface Built {
  all: boolean;
  globals: boolean;
  columns: number | undefined;
  print: (text: string) => void;
  found: (asked: Asked) => void;
}

async function programFor(argv: readonly string[], version: string, built: Built): Promise<Commander> {
  const program = shaped(new Commander('redrive'), built)
    .description('Recovers failed deliveries under control, and says how it went by its exit code.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .usage('<command> [flags]')
    .addHelpText('after', '\nExit codes: `redrive help exit-codes`. Everything else: docs/cli.md.');
  for (const [name, flag] of Object.entries(GLOBAL_FLAGS)) program.addOption(optionOf(name, flag));
  for (const [word, { summary, load }] of Object.entries(GROUPS)) {
    const commands = built.all || argv.includes(word) ? await load() : undefined;
    const alone = commands?.find(({ path }) => path.length === 1);
    const group = shaped(program.command(word), built).description(summary);
    if (alone) fill(group, alone, program, built);
    const under = commands?.filter(({ path }) => path.length > 1) ?? [];
    for (const each of under)
      fill(shaped(group.command(each.path.slice(1).join(' ')), built), each, program, built);
    if (!alone && under.length > 0)
      group
        .usage('<command> [flags]')
        .allowExcessArguments(true)
        .action(() => {
          refuseUnknown(program);
          group.help();
        });
  }
  shaped(program.command('help'), built)
    .description('Show help for a command, or about `exit-codes`')
    .argument('[words...]')
    .action(async (words: string[]) => {
      if (words[0] === 'exit-codes') {
        const { exitCodeText } = await import('./exit-code-text.ts');
        built.found({ print: exitCodeText(), exit: 'done' });
      } else {
        const asked = await readCommandLine([...words, '--help'], version, { columns: built.columns });
        built.found(asked);
      }
    });
  return program;
}

/** What is the same for each command: nothing is printed, and nobody exits, behind the back of its caller. */
function shaped(command: Commander, { columns, globals, print }: Built): Commander {
  return command
    .exitOverride()
    .allowExcessArguments(false)
    .helpOption('-h, --help', 'show help')
    .configureHelp({ showGlobalOptions: globals, ...(columns === undefined ? {} : { helpWidth: columns }) })
    .configureOutput({
      writeOut: print,
      // The help of whoever says too little.
      writeErr: print,
      // A wrong command is told as every other mistake is.
      outputError: () => {},
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      ...(columns === undefined ? {} : { getOutHelpWidth: () => columns }),
    });
}

function fill(commander: Commander, command: Command, program: Commander, built: Built): void {
  commander.description([command.summary, ...(command.details ?? [])].join('\n\n'));
  commander.summary(command.summary);
  const names = Object.keys(command.args);
  for (const [name, { text, optional, rest }] of Object.entries(command.args)) {
    const shown = rest ? `${kebab(name)}...` : kebab(name);
    commander.argument(optional || rest ? `[${shown}]` : `<${shown}>`, text);
  }
  for (const [name, flag] of Object.entries(command.flags)) commander.addOption(optionOf(name, flag));
  if (command.examples)
    commander.addHelpText(
      'after',
      `\nExamples:\n${command.examples.map((example) => `  $ ${example}`).join('\n')}`,
    );
  commander.action((...given: unknown[]) => {
    const args: Record<string, unknown> = Object.fromEntries(names.map((name, at) => [name, given[at]]));
    for (const [name, said] of Object.entries(args))
      if ([said].flat().includes('')) throw usage(`The argument ${kebab(name)} is empty.`);
    for (const [name, { parse }] of Object.entries(command.args))
      if (parse && typeof args[name] === 'string') args[name] = parse(args[name]);
    built.found({ run: command, args, flags: { ...program.opts(), ...commander.opts() } });
  });
}

function optionOf(name: string, { hint, text, parse, many, commas, choices }: Flag): Option {
  const short = name === 'output' ? '-o, ' : name === 'quiet' ? '-q, ' : '';
  const option = new Option(`${short}${flagName(name)}${hint ? ` ${hint}` : ''}`, text);
  if (!hint) return option;
  const read = (given: string) => {
    // Mostly a variable that is not set: left out, it would select everything.
    if (given === '') throw new InvalidArgumentError('It is empty: give it a value, or leave it out.');
    if (choices && !choices.includes(given))
      throw new InvalidArgumentError(`Expected one of ${choices.join(', ')}.`);
    try {
      return parse ? parse(given) : given;
    } catch (error) {
      throw error instanceof Stop ? new InvalidArgumentError(error.message) : error;
    }
  };
  return option.argParser((given: string, before: unknown) => {
    if (!many) return read(given);
    const parts = commas ? given.split(',').filter((part) => part !== '') : [given];
    const values = (parts.length === 0 ? [''] : parts).map(read);
    return [...(Array.isArray(before) ? before : []), ...values];
  });
}

function kebab(name: string): string {
  return flagName(name).slice(2);
}
