import { newestOf, tenantsMoved } from '../domain/operations/moved-marks.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Pool } from '../store/db/pool.ts';
import { notifyChanged, type OperationMark, operationMarks } from '../store/operations/change-notices.ts';

/**
 * Tells whoever follows a tenant that operations of it have moved. One look at all that are open, some times a second,
 * costs the same whatever moves them, and nothing where items are claimed and recorded.
 */
export class ChangeTeller {
  readonly #pool: Pool;
  #marks: OperationMark[] = [];
  #newest: Id<'operation'> | undefined;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Looks once, and tells what has moved since the look before. */
  async look(): Promise<void> {
    const marks = await operationMarks(this.#pool, this.#newest);
    const moved = tenantsMoved(this.#marks, marks);
    this.#marks = marks;
    this.#newest = newestOf(marks, this.#newest);
    await notifyChanged(this.#pool, moved);
  }
}
