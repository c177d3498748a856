import type { Logger } from 'pino';
import { errorCode } from '../telemetry/error-code.ts';

/** How long an answer waits for Temporal; work that is not done by then goes on behind it, or the sweeper does it. */
const OFFER_MS = 300;

/** Waits for `work` for at most 300 ms and never throws: the fact is in Postgres already. */
export async function offer(log: Logger, what: string, work: () => Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, OFFER_MS);
  });
  const done = work().then(
    () => {},
    (error: unknown) =>
      log.warn({ event: `${what}.deferred`, code: errorCode(error) }, 'left to the sweeper'),
  );
  await Promise.race([done, late]);
  clearTimeout(timer);
}
