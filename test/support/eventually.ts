import { setTimeout as delay } from 'node:timers/promises';
import { patient } from './patience.ts';

/** Waits until a condition holds, and fails with its name, and what `otherwise` says, when it does not in time. */
export async function eventually(
  what: string,
  condition: () => Promise<boolean> | boolean,
  options: { withinMs?: number; otherwise?: () => string } = {},
): Promise<void> {
  const withinMs = patient(options.withinMs ?? 10_000);
  const beganAt = performance.now();
  while (!(await condition())) {
    const waitedMs = performance.now() - beganAt;
    if (waitedMs > withinMs)
      throw new Error(
        `not within ${withinMs} ms: ${what}${options.otherwise ? `: ${options.otherwise()}` : ''}`,
      );
    // Seldom where it takes long: what looks a hundred times a second keeps others from what it waits for.
    await delay(Math.min(50, 10 + waitedMs / 50));
  }
}
