import { setTimeout as delay } from 'node:timers/promises';

/** Waits until a condition holds, and fails with its name when it does not in time. */
export async function eventually(
  what: string,
  condition: () => Promise<boolean> | boolean,
  options: { withinMs?: number } = {},
): Promise<void> {
  const withinMs = options.withinMs ?? 10_000;
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(10);
  }
}
