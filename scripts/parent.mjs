const LOOK_EVERY_MS = 1_000;

/**
 * Calls `gone` when the process that has started this one by npm has ended: a signal to npm alone ends npm and its shell,
 * and is told to nobody below.
 */
export function whenParentIsGone(gone) {
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event === undefined) return;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    gone();
  }, LOOK_EVERY_MS);
  timer.unref();
}
