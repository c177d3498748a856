import { createInterface } from 'node:readline';
import { createPool } from '../../store/db/pool.ts';
import { makeSignInCode } from '../../store/tenancy/sign-in-codes.ts';
import { DEMO_KEYS, type DemoKey } from './demo-keys.ts';
import { DEMO_TENANT } from './demo-story.ts';

/** The places that links lead to and come from. */
export type LinkOptions = {
  /** Where the console is on this machine. */
  origin: string;
  databaseUrl: string;
  /** What people type, where they can. */
  input?: NodeJS.ReadableStream | undefined;
  say(...lines: string[]): void;
  signal: AbortSignal;
};

/** The key that a line asks a link for; undefined where it asks for none. */
const ASKED: Record<string, DemoKey> = { '': 'operator', a: 'approver' };

/** Prints a fresh link for each line that is typed until `signal` aborts, and tells how to ask for one. */
export function offerSignInLinks(options: LinkOptions): void {
  const { input, signal } = options;
  if (input === undefined || signal.aborted) return;
  // Without an output it leaves the terminal as it is: Ctrl-C stays a signal.
  const lines = createInterface({ input, terminal: false });
  lines.on('line', (line) => {
    const key = ASKED[line.trim().toLowerCase()];
    if (key) void saySignInLink(options, key);
  });
  signal.addEventListener('abort', () => lines.close(), { once: true });
}

/** Prints a link that opens the console signed in, or why there is none; never rejects. */
export async function saySignInLink(options: LinkOptions, key: DemoKey): Promise<void> {
  const { say, input, signal } = options;
  try {
    const link = await signInLink(options, key);
    if (signal.aborted) return;
    if (link === undefined) say(`There is no link: this database has no demo, or it is not that far.`);
    else
      say(
        '',
        `The console, signed in as ${DEMO_KEYS[key].name} (once, within a minute):`,
        `  ${link}`,
        ...(input === undefined
          ? []
          : [`Enter prints a fresh link, a and Enter one for ${DEMO_KEYS.approver.name}.`]),
      );
  } catch {
    say('There is no link now: Postgres does not answer.');
  }
}

async function signInLink({ origin, databaseUrl }: LinkOptions, key: DemoKey): Promise<string | undefined> {
  const pool = createPool(databaseUrl, { max: 1, applicationName: 'redrive-demo' });
  try {
    const code = await makeSignInCode(pool, { tenant: DEMO_TENANT, name: DEMO_KEYS[key].name });
    // Behind the hash it is sent nowhere: the console reads it there and takes it away.
    return code && `${origin}/console#code=${code}`;
  } finally {
    await pool.end();
  }
}
