import type { Pool } from 'pg';
import type { RunnableOperation } from '../domain/operations/operation.ts';
import type { Log } from '../telemetry/log.ts';

/** What an operation is addressed by in Temporal. */
export type AddressedOperation = RunnableOperation;

/** What the recovery services need. The last three never throw: what they fail to do now, the sweeper does later. */
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
