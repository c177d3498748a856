import type { ServiceOptions } from '../../../src/service.ts';
import type { Answered, Asked, Crash, Stalled } from '../../support/child/host.ts';
import { type ChildScript, startChildScript } from '../../support/child-script.ts';

const HOST = new URL('../../support/child/host.ts', import.meta.url);
/** Services that one process runs before it is not used any more: what each leaves behind adds up. */
const SERVICES_OF_A_PROCESS = 40;
/** A service that does not stop within this time is ended with its process. */
const STOPS_WITHIN_MS = 5_000;

/** The options of a service as they can be sent to another process. */
export type HostedOptions = Omit<ServiceOptions, 'masterKey' | 'log'>;

/** A process that has loaded the engine, and runs one service at a time. */
export class Host {
  readonly #child: ChildScript;
  /** Those who wait for an answer, in the order in which they asked. */
  readonly #asked: ((answer: Answered | undefined) => void)[] = [];
  services = 0;
  /** Called when the machine has kept it from working for long. */
  onStall: () => void = () => {};
  /** It is gone, or about to be. */
  over = false;
  /** Resolves with all that it said when it is gone. */
  readonly ended: Promise<string>;

  constructor() {
    this.#child = startChildScript(HOST, { messages: true });
    this.#child.process.on('message', (said: Answered | Stalled) => {
      if ('stalledMs' in said) this.onStall();
      else this.#asked.shift()?.(said);
    });
    this.ended = this.#child.ended.then(({ output }) => {
      this.over = true;
      return output;
    });
  }

  /** Resolves when it can start services. */
  async loaded(): Promise<void> {
    await this.#child.firstLine;
  }

  /** Starts a service, which crashes by itself at a point where one is named; says where its API is, or why it does not. */
  async start(options: HostedOptions, masterKey: string, crash: Crash | null): Promise<Answered> {
    this.services += 1;
    const answer = await this.#ask({ do: 'start', options, masterKey, crash });
    return answer ?? { ok: false, why: 'its process has ended' };
  }

  /** Stops its service; where that takes too long, it is ended. */
  async stop(): Promise<void> {
    const timer = setTimeout(() => this.kill(), STOPS_WITHIN_MS);
    const answer = await this.#ask({ do: 'stop' });
    clearTimeout(timer);
    if (!answer?.ok) this.kill();
  }

  /** Ends it as a machine that is gone does. */
  kill(): void {
    this.over = true;
    this.#child.process.kill('SIGKILL');
  }

  /** The answer, or nothing where the process ends before. */
  #ask(asked: Asked): Promise<Answered | undefined> {
    return new Promise((resolve) => {
      this.#asked.push(resolve);
      // Where it cannot be told any more it has ended, or is about to.
      this.#child.process.send(asked, () => {});
      void this.ended.then(() => resolve(undefined));
    });
  }
}

/** Processes that wait for a service to run, so that no seed waits for one to load. */
export class Hosts {
  readonly #waiting: Host[] = [];
  readonly #all = new Set<Host>();
  readonly #spare: number;
  #stopping = false;
  /** Processes that were started so far. */
  started = 0;

  /** `spare` of them are loaded ahead. */
  constructor(spare: number) {
    this.#spare = spare;
    this.#fill();
  }

  /** Takes one that lives; none once they are stopped. */
  async take(): Promise<Host | undefined> {
    // A seed that a deadline has left behind would go on for ever.
    while (!this.#stopping) {
      const host = this.#waiting.shift() ?? this.#begin();
      this.#fill();
      await host.loaded().catch(() => {});
      if (!host.over) return host;
    }
    return undefined;
  }

  /** Gives one back, whose service has stopped. */
  giveBack(host: Host): void {
    if (host.over) return;
    if (this.#stopping || host.services >= SERVICES_OF_A_PROCESS) host.kill();
    else this.#waiting.unshift(host);
  }

  /** Ends all of them. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const host of this.#all) host.kill();
    await Promise.all([...this.#all].map(({ ended }) => ended));
  }

  #fill(): void {
    while (!this.#stopping && this.#waiting.length < this.#spare) this.#waiting.push(this.#begin());
  }

  #begin(): Host {
    const host = new Host();
    this.started += 1;
    this.#all.add(host);
    void host.ended.then(() => this.#all.delete(host));
    return host;
  }
}
