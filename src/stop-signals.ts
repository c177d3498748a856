import { commandName, parentOf } from './embedded/own-processes.ts';

/** How often somebody has asked this process to end. */
export type StopSignals = {
  /** Aborts at the first request: end in order. */
  stop: AbortSignal;
  /** Aborts at the second: end now. */
  hurry: AbortSignal;
  /** Counts as a first request. */
  request(): void;
};

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Ctrl-C under npm arrives twice, from the terminal and from npm; that is no second request. */
const SAME_REQUEST_MS = 1_000;

const NPM_CHECK_MS = 500;

/** Listens for signals from now on. */
export function listenForStopSignals(): StopSignals {
  const stop = new AbortController();
  const hurry = new AbortController();
  let requestedAt: number | undefined;
  const onSignal = () => {
    const now = performance.now();
    if (requestedAt === undefined) {
      requestedAt = now;
      stop.abort();
    } else if (now - requestedAt > SAME_REQUEST_MS) hurry.abort();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  const request = () => {
    if (requestedAt === undefined) onSignal();
  };
  if (process.env.npm_lifecycle_event !== undefined) void watchNpm(request);
  return { stop: stop.signal, hurry: hurry.signal, request };
}

/** When npm is killed nobody tells this process, which would go on unseen and keep the port and the data directory. */
async function watchNpm(onOrphaned: () => void): Promise<void> {
  const parent = process.ppid;
  const [name, grandparent] = await Promise.all([commandName(parent), parentOf(parent)]);
  // Most shells stay between npm and its script; a shell above npm is not ours to watch, it may end with a login.
  const shellBetween = name !== undefined && /^(sh|dash|bash|ash|zsh|busybox)$/.test(name);
  const timer = setInterval(async () => {
    const orphaned = process.ppid !== parent || (shellBetween && (await parentOf(parent)) !== grandparent);
    if (!orphaned) return;
    clearInterval(timer);
    onOrphaned();
  }, NPM_CHECK_MS);
  timer.unref();
}
