import type { Logger } from 'pino';
import { errorCode } from '../telemetry/error-code.ts';
import { connectTemporal, type TemporalLink, type TemporalPlace } from './connection.ts';
import { installRuntime } from './runtime.ts';
import { registerSearchAttributes } from './search-attributes.ts';

const RETRY_MS = 1_000;

/** Where it is not allowed (Temporal Cloud), an operator does it, and this asks on whether that is done. */
const REGISTER_AGAIN_MS = { first: 1_000, atMost: 60_000 };

/**
 * Keeps the one link to Temporal of a process and makes it in the background: nothing that is accepted waits for
 * Temporal to be there.
 */
export class TemporalHolder {
  #link: TemporalLink | undefined;
  #closed = false;
  readonly #connected: Promise<TemporalLink | undefined>;

  constructor(place: TemporalPlace, log: Logger, metricsPort?: number) {
    installRuntime(log, metricsPort);
    this.#connected = this.#connect(place, log);
  }

  /** The link, where it has been made. */
  get link(): TemporalLink | undefined {
    return this.#link;
  }

  /** Resolves when the link is made, or with nothing when it is closed before. */
  connected(): Promise<TemporalLink | undefined> {
    return this.#connected;
  }

  /** Gives the link up; a connection that is being made is closed when it is there. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#link?.connection.close();
  }

  async #connect(place: TemporalPlace, log: Logger): Promise<TemporalLink | undefined> {
    for (let tries = 1; !this.#closed; tries++) {
      try {
        const link = await connectTemporal(place);
        if (this.#closed) {
          await link.connection.close();
          return undefined;
        }
        // Before the first start, where that can be: without them the server refuses every workflow.
        const registered = await this.#register(link, log, { first: true });
        this.#link = link;
        if (!registered) void this.#registerOn(link, log);
        return link;
      } catch (error) {
        if (tries === 1)
          log.warn({ event: 'temporal.away', code: errorCode(error) }, 'Temporal does not answer; trying on');
        await pause(RETRY_MS);
      }
    }
    return undefined;
  }

  /** A server that answers may still be making its namespace: it is asked again until it has taken them. */
  async #registerOn(link: TemporalLink, log: Logger): Promise<void> {
    let waits = REGISTER_AGAIN_MS.first;
    do {
      await pause(waits);
      waits = Math.min(2 * waits, REGISTER_AGAIN_MS.atMost);
    } while (!this.#closed && !(await this.#register(link, log, { first: false })));
  }

  async #register(link: TemporalLink, log: Logger, { first }: { first: boolean }): Promise<boolean> {
    try {
      await registerSearchAttributes(link);
      if (!first) log.info({ event: 'temporal.search_attributes' }, 'registered');
      return true;
    } catch (error) {
      if (first)
        log.warn(
          { event: 'temporal.search_attributes', code: errorCode(error) },
          'could not be registered; trying on',
        );
      return false;
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
