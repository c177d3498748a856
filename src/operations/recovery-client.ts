import type { Logger } from 'pino';
import { sparing } from '../loops/sparing.ts';
import type { Pool } from '../store/db/pool.ts';
import { confirmStart } from '../store/operations/overdue-operations.ts';
import { notifyLiveLanes } from '../store/sending/live-notices.ts';
import { offer } from '../temporal/offer.ts';
import { OperationRuns } from '../temporal/operation-runs.ts';
import type { TaskQueues } from '../temporal/task-queues.ts';
import type { TemporalHolder } from '../temporal/temporal-holder.ts';
import type { RecoveryDeps } from './recovery-deps.ts';

/** Notices that come closer together than this go out as one. */
const DEBOUNCE_MS = 5;

/** Makes the dependencies of the recovery services from one process: its pool, and Temporal where it answers. */
export function createRecoveryDeps(
  pool: Pool,
  temporal: TemporalHolder,
  queues: TaskQueues,
  log: Logger,
): RecoveryDeps {
  const runs = async () => {
    const link = temporal.link;
    if (!link) throw new TemporalAway();
    return new OperationRuns(link, queues);
  };
  return {
    pool,
    log,
    startOperation: (operation) =>
      offer(log, 'operation.start', async () => {
        await (await runs()).start(operation, 'first');
        await confirmStart(pool, operation.id);
      }),
    nudgeOperation: (operation) =>
      offer(log, 'operation.control', async () => (await runs()).nudge(operation)),
    pokeLiveLane: sparing(DEBOUNCE_MS, () => {
      notifyLiveLanes(pool).catch((error: { code?: string }) =>
        log.warn({ event: 'live.notify.failed', code: error.code }, 'the poll of the live lane will find it'),
      );
    }),
  };
}

class TemporalAway extends Error {
  override readonly name = 'TemporalAway';
}
