import type { Logger } from 'pino';
import { connectTemporal, type TemporalLink, type TemporalPlace } from './connection.ts';
import { installRuntime } from './runtime.ts';
import { registerSearchAttributes } from './search-attributes.ts';

const RETRY_MS = 1_000;

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
        await registerSearchAttributes(link).catch((error: Error) =>
          log.warn({ event: 'temporal.search_attributes', code: error.name }, 'could not be registered'),
        );
        this.#link = link;
        return link;
      } catch (error) {
        if (tries === 1)
          log.warn(
            { event: 'temporal.away', code: (error as Error).name },
            'Temporal does not answer; trying on',
          );
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
      }
    }
    return undefined;
  }
}
