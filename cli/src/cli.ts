import type { GlobalFlags } from './command/global-flags.ts';
import { readCommandLine } from './command/program.ts';
import { EXITS, type Exit } from './core/exit-codes.ts';
import { mistakeOf } from './core/mistake.ts';
import { safe } from './core/text.ts';
import { type Context, contextFor } from './shell/context.ts';
import { VERSION } from './version.ts';

const { stdout, stderr } = process;

const SIGNALS = { SIGINT: 'interrupted', SIGTERM: 'terminated' } as const;

let context: Context | undefined;

/** Runs a command line in this process, and ends it with the code that says how it went. */
export async function cli(argv: readonly string[]): Promise<void> {
  for (const stream of [stdout, stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // A reader that has seen enough, such as `head`, ends this.
      if (error.code === 'EPIPE') process.exit(EXITS.pipeClosed.code);
      // A full disk, most likely: what was written is not all of it.
      if (stream === stdout) stderr.write(`redrive: standard output: ${error.message}.\n`);
      process.exit(EXITS.failed.code);
    });
  for (const [signal, exit] of Object.entries(SIGNALS))
    process.on(signal, () => {
      for (const line of context?.comeBack?.() ?? []) context?.speaker.must(line);
      process.exit(EXITS[exit].code);
    });
  await end(await main(argv));
}

async function main(argv: readonly string[]): Promise<Exit> {
  try {
    const asked = await readCommandLine(argv, VERSION, {
      columns: stdout.isTTY ? stdout.columns : undefined,
    });
    if ('print' in asked) {
      (asked.exit === 'done' ? stdout : stderr).write(asked.print);
      return asked.exit;
    }
    context = contextFor(process, asked.flags as GlobalFlags, argv);
    const given = { args: asked.args as never, flags: asked.flags as never };
    return (await asked.run.run(context, given)) ?? 'done';
  } catch (error) {
    return tell(error);
  }
}

/** Says what went wrong: its code, the id of the request and the next step. */
async function tell(error: unknown): Promise<Exit> {
  const { exit, what, code, requestId, parts, next } = mistakeOf(error);
  context ??= contextFor(process, {} as GlobalFlags, []);
  const { style } = context.speaker;
  const lines = [
    `${style.red('redrive:')} ${code === undefined ? '' : `${code}: `}${safe(what)}`,
    ...parts.map((part) => `  ${safe(part)}`),
    ...(requestId === undefined ? [] : [`  request ${requestId}`]),
    ...(next === undefined ? [] : [`  next: ${safe(next)}`]),
    ...(await versionLines(code)),
  ];
  for (const line of lines) context.speaker.must(line);
  return exit;
}

/** A call that the server does not know may be one of another version. */
async function versionLines(code: string | undefined): Promise<string[]> {
  if (code !== 'route_not_found' && code !== 'method_not_allowed') return [];
  const { serverVersion } = await import('./shell/server-version.ts');
  const version = context && (await serverVersion(context));
  return version === undefined || version === VERSION
    ? []
    : [`  the server is version ${safe(version)}, this command line is ${VERSION}`];
}

/** Ends the process once what was written is written. */
async function end(exit: Exit): Promise<void> {
  await Promise.all([stdout, stderr].map((stream) => new Promise((done) => stream.write('', done))));
  process.exit(EXITS[exit].code);
}
