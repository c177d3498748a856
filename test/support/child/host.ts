import { type Service, startService } from '../../../src/service.ts';
import { type CrashPoint, installCrashPoints } from '../../../src/telemetry/crash-points.ts';
import { createLogger } from '../../../src/telemetry/log.ts';
import { STALL_MS } from './stall.ts';

/**
 * A process that runs one service after the other, as its parent asks: loading the engine costs more than starting it.
 * It ends with its parent.
 */

/** What the parent may ask; each is answered by an {@link Answered}. */
export type Asked = { do: 'start'; options: object; masterKey: string; crash: Crash | null } | { do: 'stop' };

/** The point at which the process ends by itself, when it has been passed `after` times. */
export interface Crash {
  at: CrashPoint;
  after: number;
}

/** The answer to each {@link Asked}, in their order. */
export type Answered = { ok: true; url?: string } | { ok: false; why: string };

/** What it says of its own accord: for so long the machine has kept it from working. */
export type Stalled = { stalledMs: number };

const LOOK_MS = 100;

let crash: Crash | null = null;
let service: Service | undefined;

installCrashPoints((point) => {
  if (point !== crash?.at) return;
  crash.after -= 1;
  if (crash.after < 0) process.kill(process.pid, 'SIGKILL');
});

const log = createLogger({
  level: 'warn',
  destination: { write: (line: string) => void process.stderr.write(line) },
});

// One after the other: a service that is to stop may still be starting.
let before: Promise<unknown> = Promise.resolve();
process.on('message', (asked: Asked) => {
  before = before
    .then(() => answer(asked))
    .then(
      (url): Answered => ({ ok: true, ...(url === undefined ? {} : { url }) }),
      (error: Error): Answered => ({ ok: false, why: error.stack ?? error.message }),
    )
    .then((answered) => process.send?.(answered));
});
process.once('disconnect', () => process.exit(0));

let lookedAt = performance.now();
setInterval(() => {
  const stalledMs = performance.now() - lookedAt - LOOK_MS;
  lookedAt = performance.now();
  if (stalledMs > STALL_MS) process.send?.({ stalledMs } satisfies Stalled);
}, LOOK_MS).unref();

process.stdout.write('loaded\n');

async function answer(asked: Asked): Promise<string | undefined> {
  if (asked.do === 'start') {
    crash = asked.crash;
    const options = asked.options as Parameters<typeof startService>[0];
    service = await startService({ ...options, masterKey: Buffer.from(asked.masterKey, 'base64'), log });
    // Its start has kept it from nothing.
    lookedAt = performance.now();
    return service.url;
  }
  crash = null;
  await service?.stop();
  service = undefined;
  return undefined;
}
