import { setTimeout as delay } from 'node:timers/promises';
import { patient } from './patience.ts';

/** Waits until a condition holds, and fails with its name, and what `otherwise` says, when it does not in time. */
export async function eventually(
  what: string,
  condition: () => Promise<boolean> | boolean,
  options: { withinMs?: number; otherwise?: () => string } = {},
): Promise<void> {
  const withinMs = patient(options.withinMs ?? 10_000);
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline)
      throw new Error(
        `not within ${withinMs} ms: ${what}${options.otherwise ? `: ${options.otherwise()}` : ''}`,
      );
    await delay(10);
  }
}
