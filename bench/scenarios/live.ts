import { startEndlessBulk } from '../endless-bulk.ts';
import { measureFirstDeliveries } from '../first-deliveries.ts';
import { alternate, type Bench } from '../scenario.ts';

const ROUNDS = 3;

/** First deliveries, idle and beside a bulk operation. */
export async function live(bench: Bench): Promise<void> {
  const { rig, size } = bench;
  await rig.setWorkers(1);
  await alternate(bench, [
    { name: 'live, idle', rounds: ROUNDS, measure: measureFirstDeliveries },
    {
      name: 'live, beside a bulk operation',
      rounds: ROUNDS,
      async measure() {
        const beside = await startEndlessBulk(rig, size(200_000));
        const figures = await measureFirstDeliveries(bench);
        return { ...figures, besideRequests: await beside.stop() };
      },
    },
  ]);
}
