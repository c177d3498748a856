import type { RunnableOperation } from '../domain/operations/operation.ts';
import type { Pool } from '../store/db/pool.ts';
import type { Log } from '../telemetry/log.ts';

/** The members by which an operation is addressed in Temporal. */
export type AddressedOperation = RunnableOperation;

/** Dependencies of the recovery services. The last three never throw: the sweeper makes up for a failure later. */
export interface RecoveryDeps {
  pool: Pool;
  /** One line an act. */
  log: Log;
  /** Starts the operation's workflow, waiting at most some 300 ms for Temporal. */
  startOperation(operation: AddressedOperation): Promise<void>;
  /** Offers the workflow a look at its control, waiting at most some 300 ms. */
  nudgeOperation(operation: AddressedOperation): Promise<void>;
  /** Wakes the live lanes of all workers, soon and together for many calls. */
  pokeLiveLane(): void;
}
