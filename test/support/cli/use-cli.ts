import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { use } from '../use.ts';
import {
  type CliOptions,
  type CliResult,
  type RunningCli,
  runCli,
  startCli,
  startOnTerminal,
} from './run-cli.ts';

/** A command line with a home of its own. */
export interface Cli {
  home: string;
  /** The environment of each command: that home, and whoever calls. */
  env: (server: { url: string; key?: string }) => Record<string, string>;
  run: (
    server: { url: string; key?: string },
    args: readonly string[],
    options?: CliOptions,
  ) => Promise<CliResult>;
  start: (server: { url: string; key?: string }, args: readonly string[], options?: CliOptions) => RunningCli;
  onTerminal: (
    server: { url: string; key?: string },
    args: readonly string[],
    options?: CliOptions,
  ) => RunningCli;
}

/** A command line for the tests of a file or `describe`; commands that still run are ended after them. */
export function useCli(): Cli {
  const running: RunningCli[] = [];
  const keep = (one: RunningCli) => {
    running.push(one);
    return one;
  };
  return use(
    async () => {
      const home = await mkdtemp(join(tmpdir(), 'redrive-cli-'));
      const env: Cli['env'] = ({ url, key }) => ({
        HOME: home,
        XDG_CONFIG_HOME: join(home, 'config'),
        XDG_STATE_HOME: join(home, 'state'),
        REDRIVE_URL: url,
        ...(key === undefined ? {} : { REDRIVE_KEY: key }),
      });
      const withEnv = (server: { url: string; key?: string }, options: CliOptions = {}) => ({
        ...options,
        env: { ...env(server), ...options.env },
      });
      return {
        home,
        env,
        run: (server, args, options) => runCli(args, withEnv(server, options)),
        start: (server, args, options) => keep(startCli(args, withEnv(server, options))),
        onTerminal: (server, args, options) => keep(startOnTerminal(args, withEnv(server, options))),
      } satisfies Cli;
    },
    async ({ home }) => {
      for (const { process } of running) if (process.exitCode === null) process.kill('SIGKILL');
      await Promise.all(running.map(({ ended }) => ended.catch(() => {})));
      await rm(home, { recursive: true, force: true });
    },
  );
}
