import { setTimeout as delay } from 'node:timers/promises';

/** A server of ours that can end by itself. */
export interface MortalServer {
  /** Settles with the reason when it has ended, by `stop` or by itself. */
  ended: Promise<string>;
  stop(options?: { hurry?: boolean }): Promise<void>;
}

/** A server that is started again when it dies. */
export interface KeptAlive {
  /** Settles, with how it ended last, when it is not started again any more. */
  broken: Promise<string>;
  /** Ends it for good, also while it is being started. */
  stop(options?: { hurry?: boolean }): Promise<void>;
}

/** A server that dies more often is not saved by one more start. */
const MOST_STARTS = 3;
const WITHIN_MS = 60_000;
const PAUSE_MS = 200;

/** Starts a server again whenever it ends by itself, three times a minute at most; `again` says so and starts it. */
export function keepAlive(
  first: MortalServer,
  again: (how: string) => Promise<MortalServer>,
  now: () => number = () => performance.now(),
): KeptAlive {
  let server: MortalServer | undefined = first;
  let starting: Promise<unknown> | undefined;
  let stopping = false;
  const startedAt: number[] = [];

  const broken = new Promise<string>((resolve) => {
    const watch = async (running: MortalServer): Promise<void> => {
      const how = await running.ended;
      if (stopping) return;
      const recent = startedAt.filter((at) => now() - at < WITHIN_MS);
      if (recent.length >= MOST_STARTS) return resolve(how);
      startedAt.push(now());
      server = undefined;
      await delay(PAUSE_MS);
      if (stopping) return;
      const next = again(how).then(
        (started) => {
          server = started;
          void watch(started);
        },
        (error: unknown) => resolve(`${how}, and did not start again: ${(error as Error).message}`),
      );
      starting = next;
      await next;
    };
    void watch(first);
  });

  return {
    broken,
    async stop(options) {
      stopping = true;
      // One that is half started could not be stopped.
      await starting;
      await server?.stop(options);
    },
  };
}
