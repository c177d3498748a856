import type { GlobalFlags } from '../command/global-flags.ts';
import { connectionOf } from '../core/connection.ts';
import { Stop } from '../core/stop.ts';
import type { Api } from './api.ts';
import { Output } from './output.ts';
import { Profiles } from './profiles.ts';
import { askLine, askSecret } from './prompt.ts';
import { Speaker } from './speaker.ts';
import { screenOf } from './style.ts';

/** What a command has at hand. */
export interface Context {
  env: Readonly<Record<string, string | undefined>>;
  globals: GlobalFlags;
  /** The command line, word by word. */
  words: readonly string[];
  /** Data, on standard output. */
  out: Output;
  /** Everything else, on standard error. */
  speaker: Speaker;
  profiles: Profiles;
  stdin: NodeJS.ReadStream;
  /** Somebody is there to be asked. */
  canAsk: boolean;
  /** Standard output is a terminal. */
  outIsTerminal: boolean;
  ask: (question: string) => Promise<string>;
  askSecret: (question: string) => Promise<string>;
  api: () => Promise<Api>;
  /** The line by which what was cut off is taken up again; said where the command is interrupted. */
  comeBack: (() => readonly string[]) | undefined;
  now: () => Date;
}

/** The process as far as a command knows it. */
export type Process = Pick<NodeJS.Process, 'env' | 'stdin' | 'stdout' | 'stderr'>;

/** Puts together what a command has at hand; nothing is read or connected before it is asked for. */
export function contextFor(process: Process, globals: GlobalFlags, words: readonly string[]): Context {
  const { env, stdin, stdout, stderr } = process;
  const outScreen = screenOf(stdout, env);
  const speaker = new Speaker(stderr, screenOf(stderr, env), globals.quiet === true);
  const profiles = new Profiles(env);
  const canAsk = stdin.isTTY === true && stderr.isTTY === true;
  let api: Promise<Api> | undefined;
  const connect = async () => {
    const connection = connectionOf({ env, flags: globals, config: await profiles.read() });
    if (connection.profile !== undefined && (await profiles.isOpen()))
      speaker.must(`Others may read ${profiles.file}: chmod 600 it.`);
    const { apiOf } = await import('./api.ts');
    return apiOf(connection, (line) => speaker.say(line));
  };
  return {
    env,
    globals,
    words,
    out: new Output(stdout, globals.output ?? 'table', outScreen.terminal),
    speaker,
    profiles,
    stdin,
    canAsk,
    outIsTerminal: outScreen.terminal,
    ask: (question) => askLine(stdin, speaker, question),
    askSecret(question) {
      if (!canAsk) throw new Stop('notConfirmed', 'Nobody can be asked: there is no terminal.');
      return askSecret(stdin, speaker, question);
    },
    api() {
      api ??= connect();
      return api;
    },
    comeBack: undefined,
    now: () => new Date(),
  };
}
