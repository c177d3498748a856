import { isAbsolute, relative } from 'node:path';
import type { Config } from '../../config/config.ts';
import { reachesLoopback } from '../../config/demo-profile.ts';
import { createPool } from '../../store/db/pool.ts';
import { findTenant, listTenants } from '../../store/tenancy/tenants.ts';
import type { Report, Step } from '../steps.ts';
import type { Page } from './demo-client.ts';
import { LEFT_TO_THE_CONSOLE } from './demo-endpoints.ts';
import { enableProtected, leftByOutage, outageBegins } from './demo-outage.ts';
import { DemoProblem } from './demo-problem.ts';
import type { DemoOutput } from './demo-progress.ts';
import { type DemoReceiver, keptPort, startDemoReceiver } from './demo-receiver-process.ts';
import { remainingFailures } from './demo-remaining.ts';
import {
  addressLines,
  type Command,
  closureTable,
  count,
  curlLines,
  leftLines,
  outageTable,
  remainingLines,
} from './demo-report.ts';
import {
  DEMO_TENANT,
  type DemoStage,
  follow,
  postRetry,
  RETRY_LINES,
  sendEvents,
  setStage,
  waitForFailures,
} from './demo-story.ts';
import { offerSignInLinks, saySignInLink } from './sign-in-links.ts';

/** The parts of the service that the demo may use. */
export type DemoOptions = {
  config: Pick<Config, 'dataDir' | 'allowedNetworks'>;
  url: string;
  uiUrl?: string | undefined;
  logFile: string;
  /** Absent where an earlier start made it: nobody has it here any more. */
  adminKey?: string | undefined;
  databaseUrl: string;
  /** Where the console is on this machine; without it no link signs in. */
  linkOrigin?: string | undefined;
  /** What people type, where they can. */
  input?: NodeJS.ReadableStream | undefined;
  report: Report;
  output: DemoOutput;
  signal: AbortSignal;
};

/** The demo, which never rejects: a failure in it is reported, and leaves the service running. */
export type Demo = {
  /** Settles when it has been played to its end, or has stopped. */
  played: Promise<void>;
  /** Ends its receiver; `signal` has to be aborted before. */
  stop(): Promise<void>;
};

/** Loads the demo into an empty database, retries failures, and says where to go on; other databases are left alone. */
export function startDemo(options: DemoOptions): Demo {
  const run = new DemoRun(options);
  const played = play(run, options);
  return {
    played,
    async stop() {
      await played;
      await run.stop();
    },
  };
}

async function play(run: DemoRun, options: DemoOptions): Promise<void> {
  const { url, uiUrl, logFile, linkOrigin, databaseUrl, input, signal } = options;
  const links = linkOrigin && {
    ...{ origin: linkOrigin, databaseUrl, input, signal },
    say: (...lines: string[]) => run.say(...lines),
  };
  const link = async () => {
    if (links && run.loaded) await saySignInLink(links, 'operator');
  };
  if (links) offerSignInLinks(links);
  let commands: Command[] = [];
  try {
    commands = await run.play(link);
  } catch (error) {
    if (!signal.aborted) run.say(`✘ The demo stopped: ${reasonOf(error).replace(/\.$/, '')}.`);
  }
  if (signal.aborted) return;
  const addresses = addressLines({ url, uiUrl, logFile: shownPath(logFile) });
  run.say('', 'Redrive is running; Ctrl-C ends it.', ...indented(addresses));
  for (const { what, command } of commands) run.say('', `# ${what}`, command);
  await link();
}

class DemoRun {
  readonly #options: DemoOptions;
  #receiver: DemoReceiver | undefined;
  /** The database holds it, now or since an earlier start. */
  loaded = false;

  constructor(options: DemoOptions) {
    this.#options = options;
  }

  say(...lines: string[]): void {
    this.#options.output.write(lines.map((line) => `${line}\n`).join(''));
  }

  async stop(): Promise<void> {
    await this.#receiver?.stop();
  }

  /**
   * Looks at the database, and plays, reopens or leaves out the demo accordingly. `inOutage` is called as soon as there is
   * something to see.
   */
  async play(inOutage: () => Promise<void>): Promise<Command[]> {
    const { adminKey, config, databaseUrl } = this.#options;
    const found = await tenantsIn(databaseUrl);
    if (found === 'others') return [];
    if (found === 'demo') {
      this.loaded = true;
      await this.#reopen();
      return [];
    }
    if (!reachesLoopback(config.allowedNetworks)) {
      this.say(
        'The demo is left out: its receivers listen on 127.0.0.1, where deliveries may not go (REDRIVE_HOST is no',
        'loopback address, or REDRIVE_ALLOWED_NETWORKS names other networks only).',
      );
      return [];
    }
    if (adminKey === undefined) {
      this.say(
        "The demo is left out: it needs the administrator's API key, which was shown at the first start only. Start",
        'with REDRIVE_ADMIN_KEY set to a key of your own, which takes its place, to load it.',
      );
      return [];
    }
    return this.#tell(adminKey, inOutage);
  }

  async #tell(adminKey: string, inOutage: () => Promise<void>): Promise<Command[]> {
    const { url, config, signal } = this.#options;
    this.say(
      '',
      'The database is empty: here is an outage, and how Redrive recovers from it (REDRIVE_DEMO=0 leaves this out).',
      '',
    );
    const receiver = await this.#step('A receiver', async () => {
      this.#receiver = await startDemoReceiver({ dataDir: config.dataDir, phase: 'outage', signal });
      return [this.#receiver, `process ${this.#receiver.pid}, having a bad night`];
    });
    const stage = await this.#step('Endpoints', async (step) => {
      const made = await setStage({ url, adminKey, port: receiver.port, signal }, step);
      return [made, `${Object.keys(made.endpointIds).length} of the tenant ${DEMO_TENANT}`];
    });
    this.loaded = true;
    const deliveries = await this.#step('Events', async (step) => {
      const sent = await sendEvents(stage, step);
      const what = `${count(sent.events)}, each of the ${count(sent.examples)} webhooks of @octokit/webhooks-examples ${sent.times} times`;
      return [sent.deliveries, what];
    });
    await outageBegins(stage);
    await inOutage();
    const failed = await this.#step('First deliveries', async (step) => {
      const failures = await waitForFailures(stage, step);
      return [failures, `${count(failures.length)} of ${count(deliveries)} failed and were given up`];
    });
    this.say('', ...indented(outageTable(failed, stage.endpointIds)), '');
    return this.#recover(stage, receiver);
  }

  async #recover(stage: DemoStage, receiver: DemoReceiver): Promise<Command[]> {
    const { url, output } = this.#options;
    await receiver.recover();
    await enableProtected(stage);
    this.say(
      `The receiver is back, still a little flaky and slow. All that failed is retried by one request, but for ${LEFT_TO_THE_CONSOLE}:`,
    );
    const operationId = await postRetry(stage);
    this.say('', ...indented(RETRY_LINES), '');
    const report = await follow(stage, operationId, output);
    const { acknowledged, repeated } = await receiver.tally();
    this.say(
      '',
      `Closure report of ${operationId}: ${report.state.replaceAll('_', ' ')}`,
      ...indented(closureTable(report)),
      '',
      `The receiver has acknowledged ${count(acknowledged)} deliveries, ${repeated === 0 ? 'none' : count(repeated)} of them twice.`,
    );
    const failures = await remainingFailures(stage.client, stage.endpointIds, operationId);
    this.say('', ...remainingLines(failures, operationId));
    const left = await leftByOutage(stage);
    if (left !== undefined) this.say('', ...leftLines(LEFT_TO_THE_CONSOLE, left));
    const [failure] = failures;
    const example = failure?.exampleId ?? (await anyDelivered(stage));
    return curlLines({
      ...{ url, key: stage.key, operationId, deliveryId: example },
      mode: failure === undefined ? 'replay' : 'retry',
    });
  }

  /** The endpoints of an earlier start point to its receiver, which ended with it. */
  async #reopen(): Promise<void> {
    const { config, signal } = this.#options;
    this.say(`The demo was loaded by an earlier start; remove ${shownPath(config.dataDir)} to see it again.`);
    const port = await keptPort(config.dataDir);
    if (port === undefined) return;
    await this.#step("The demo's receiver", async () => {
      this.#receiver = await startDemoReceiver({ dataDir: config.dataDir, phase: 'back', port, signal });
      return [undefined, `back on ports ${port} and ${port + 1}`];
    });
  }

  /** Shows a piece of work as a step; `work` answers with its result and a sentence about it. */
  async #step<Result>(title: string, work: (step: Step) => Promise<[Result, string]>): Promise<Result> {
    const step = this.#options.report(title);
    try {
      const [result, detail] = await work(step);
      step.done(detail);
      return result;
    } catch (error) {
      step.failed('stopped');
      throw error;
    }
  }
}

async function tenantsIn(databaseUrl: string): Promise<'none' | 'demo' | 'others'> {
  const pool = createPool(databaseUrl, { max: 1, applicationName: 'redrive-demo' });
  try {
    if (await findTenant(pool, { handle: DEMO_TENANT })) return 'demo';
    return (await listTenants(pool, { limit: 1 })).length === 0 ? 'none' : 'others';
  } finally {
    await pool.end();
  }
}

async function anyDelivered({ client }: DemoStage): Promise<string> {
  const { items } = await client.get<Page<{ id: string }>>('/api/v1/deliveries?state=delivered&limit=1');
  const [delivery] = items;
  if (delivery === undefined) throw new DemoProblem('nothing was delivered');
  return delivery.id;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function shownPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short === '' || short.startsWith('..') || isAbsolute(short) ? path : short;
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => (line === '' ? '' : `  ${line}`));
}
