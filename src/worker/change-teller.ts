import { newestOf, tenantsMoved } from '../domain/operations/moved-marks.ts';
import type { Pool } from '../store/db/pool.ts';
import { type ChangeMark, changeMarks, notifyChanged } from '../store/operations/change-notices.ts';

/**
 * Tells whoever follows a tenant that operations or outages of it have moved. One look at all that are open, some times a
 * second, costs the same whatever moves them, and nothing where items are claimed and recorded.
 */
export class ChangeTeller {
  readonly #pool: Pool;
  #marks: ChangeMark[] = [];
  #newest: ChangeMark['id'] | undefined;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Looks once, and tells what has moved since the look before. */
  async look(): Promise<void> {
    const marks = await changeMarks(this.#pool, this.#newest);
    const moved = tenantsMoved(this.#marks, marks);
    this.#marks = marks;
    this.#newest = newestOf(marks, this.#newest);
    await notifyChanged(this.#pool, moved);
  }
}
