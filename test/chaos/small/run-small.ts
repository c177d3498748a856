import { startTestEnvironment } from '../../support/test-environment.ts';
import { runSeeds, type SmallPlan, tableOf } from './run-seeds.ts';
import { startSmallWorld } from './small-world.ts';

/** Small runs on one Postgres and one Temporal server of their own; whether nothing was wrong with any. */
export async function runSmall(plan: SmallPlan): Promise<boolean> {
  const environment = await startTestEnvironment();
  Object.assign(process.env, environment.variables);
  try {
    const world = await startSmallWorld(Math.min(2, plan.sideBySide));
    try {
      const summary = await runSeeds(plan, world);
      plan.say(tableOf(summary));
      return summary.failed.length === 0;
    } finally {
      await world.close();
    }
  } finally {
    await environment.stop();
  }
}
