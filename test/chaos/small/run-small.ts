import { startTestEnvironment } from '../../support/test-environment.ts';
import { runSeeds, type SmallPlan, tableOf } from './run-seeds.ts';
import { startSmallWorld } from './small-world.ts';

/**
 * Small runs on one Postgres and one Temporal server of their own; whether nothing was wrong with any. Interrupted, it
 * begins no further seed, and tells of those that have ended.
 */
export async function runSmall(plan: SmallPlan): Promise<boolean> {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  const environment = await startTestEnvironment();
  Object.assign(process.env, environment.variables);
  try {
    const world = await startSmallWorld(Math.min(2, plan.sideBySide));
    try {
      const summary = await runSeeds({ ...plan, stop: stopping.signal }, world);
      plan.say(tableOf(summary));
      return summary.failed.length === 0;
    } finally {
      await world.close();
    }
  } finally {
    await environment.stop();
  }
}
