import { type Command, flagName } from './command.ts';
import { GLOBAL_FLAGS } from './global-flags.ts';
import type { Group } from './groups.ts';

/** The shells that complete. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** What can follow some words. */
interface Offer {
  /** The words before: `retry run`, or nothing. */
  after: string;
  words: string[];
  flags: { name: string; text: string; takes: boolean; choices: readonly string[] }[];
}

/** The completion of a shell, made of the commands: it asks nobody while one types. */
export function completionScript(
  shell: (typeof SHELLS)[number],
  groups: Readonly<Record<string, Group>>,
  commands: readonly Command[],
): string {
  const offers = offersOf(Object.keys(groups), commands);
  return { bash, zsh, fish }[shell](offers);
}

function offersOf(words: readonly string[], commands: readonly Command[]): Offer[] {
  const globals = flagsOf(GLOBAL_FLAGS);
  const offers: Offer[] = [{ after: '', words: [...words, 'help'], flags: [...globals, VERSION] }];
  for (const word of words) {
    const under = commands.filter(({ path }) => path[0] === word && path.length > 1);
    if (under.length > 0)
      offers.push({ after: word, words: under.map(({ path }) => path.slice(1).join(' ')), flags: globals });
  }
  for (const { path, flags } of commands)
    offers.push({ after: path.join(' '), words: [], flags: [...flagsOf(flags), ...globals] });
  return offers;
}

const VERSION = { name: '--version', text: 'print the version', takes: false, choices: [] };

function flagsOf(flags: Command['flags']): Offer['flags'] {
  return Object.entries(flags).map(([name, { text, hint, choices }]) => ({
    name: flagName(name),
    text,
    takes: hint !== undefined,
    choices: choices ?? [],
  }));
}

/** A text as one word of a shell. */
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** The cases of bash: the longest words first, so that a command is found before its group. */
function bashCases(offers: readonly Offer[]): string {
  return [...offers]
    .sort((one, other) => other.after.length - one.after.length)
    .map(({ after, words, flags }) => {
      const values = flags
        .filter(({ choices }) => choices.length > 0)
        .map(
          ({ name, choices }) =>
            `        ${name}${name === '--output' ? '|-o' : ''}) words=${quoted(choices.join(' '))} ;;`,
        );
      const offered = [...words.map((word) => word.split(' ')[0] ?? ''), ...flags.map(({ name }) => name)];
      return [
        `    ${after === '' ? '*' : `${quoted(after)}*`})`,
        '      case "$before" in',
        ...values,
        `        *) words=${quoted(offered.join(' '))} ;;`,
        '      esac ;;',
      ].join('\n');
    })
    .join('\n');
}

function bash(offers: readonly Offer[]): string {
  return `# bash completion of redrive: source <(redrive completion bash)
_redrive() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} line='' words='' skip='' each
  for each in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [[ $each == -* ]]; then
      [[ $each == -o || $each == --output || $each == --profile || $each == --tenant ]] && skip=1
    elif [[ -n $skip ]]; then skip=''
    else line+="\${line:+ }$each"
    fi
  done
  case "$line" in
${bashCases(offers)}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _redrive redrive
`;
}

function zsh(offers: readonly Offer[]): string {
  return `#compdef redrive
# zsh completion of redrive: source <(redrive completion zsh)
autoload -U +X bashcompinit && bashcompinit
${bash(offers)}`;
}

function fish(offers: readonly Offer[]): string {
  const lines = offers.flatMap(({ after, words, flags }) => {
    const seen = after.split(' ').filter((word) => word !== '');
    const condition =
      seen.length === 0
        ? '__fish_use_subcommand'
        : seen.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ');
    return [
      ...words.map((word) => `complete -c redrive -f -n ${quoted(condition)} -a ${quoted(word)}`),
      ...flags.map(
        ({ name, text, takes, choices }) =>
          `complete -c redrive -n ${quoted(condition)} -l ${name.slice(2)} -d ${quoted(text)}${takes ? ' -r' : ''}${choices.length > 0 ? ` -a ${quoted(choices.join(' '))}` : ''}`,
      ),
    ];
  });
  return `# fish completion of redrive: redrive completion fish | source\ncomplete -c redrive -e\n${lines.join('\n')}\n`;
}
