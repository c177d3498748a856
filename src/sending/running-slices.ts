import type { Id } from '../domain/tenancy/typed-id.ts';
/** The operations whose slices run in this process: others continue them when this one is not seen any more. */
export class RunningSlices {
  readonly #running = new Map<Id<'operation'>, number>();
  /** Called when an operation is added to those that run here. */
  onNew: () => void = () => {};

  /** Ids of the operations that are worked here. */
  get operations(): Id<'operation'>[] {
    return [...this.#running.keys()];
  }

  /** How many slices of an operation run here. */
  of(operationId: Id<'operation'>): number {
    return this.#running.get(operationId) ?? 0;
  }

  /** Does the work of one slice; it counts as running until it ends. */
  async run<T>(operationId: Id<'operation'>, work: () => Promise<T>): Promise<T> {
    const before = this.of(operationId);
    this.#running.set(operationId, before + 1);
    if (before === 0) this.onNew();
    try {
      return await work();
    } finally {
      const left = this.of(operationId) - 1;
      if (left > 0) this.#running.set(operationId, left);
      else this.#running.delete(operationId);
    }
  }
}
