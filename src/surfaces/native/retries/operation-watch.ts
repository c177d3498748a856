import type { Operation } from '../../../domain/operations/operation.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';

const POLL_MS = 300;

type Watched = {
  watchers: number;
  operation?: Operation;
  /** Grows with each change. */
  revision: number;
  fingerprint: string;
  wake: Set<() => void>;
  timer?: NodeJS.Timeout;
};

/**
 * Follows operations for those who want to see them move: one poll for each operation, however many watch it. A slow
 * watcher misses steps in between, never the last one.
 */
export class OperationWatch {
  readonly #watched = new Map<string, Watched>();
  readonly #load: (tenantId: Id<'tenant'>, operationId: Id<'operation'>) => Promise<Operation | undefined>;

  constructor(
    load: (tenantId: Id<'tenant'>, operationId: Id<'operation'>) => Promise<Operation | undefined>,
  ) {
    this.#load = load;
  }

  /** The operation as it is and whenever it has changed, until `ended` or until the caller goes. */
  async *changes(
    tenantId: Id<'tenant'>,
    operationId: Id<'operation'>,
    ended: AbortSignal,
  ): AsyncGenerator<Operation> {
    const key = `${tenantId}/${operationId}`;
    const watched = this.#join(key, tenantId, operationId);
    try {
      let seen = 0;
      while (!ended.aborted) {
        if (watched.operation !== undefined && watched.revision > seen) {
          seen = watched.revision;
          yield watched.operation;
        } else await changed(watched, ended);
      }
    } finally {
      watched.watchers -= 1;
      if (watched.watchers === 0) {
        clearTimeout(watched.timer);
        this.#watched.delete(key);
      }
    }
  }

  #join(key: string, tenantId: Id<'tenant'>, operationId: Id<'operation'>): Watched {
    let watched = this.#watched.get(key);
    if (watched === undefined) {
      watched = { watchers: 0, revision: 0, fingerprint: '', wake: new Set() };
      this.#watched.set(key, watched);
      void this.#poll(watched, tenantId, operationId);
    }
    watched.watchers += 1;
    return watched;
  }

  async #poll(watched: Watched, tenantId: Id<'tenant'>, operationId: Id<'operation'>): Promise<void> {
    // While Postgres is away the watchers simply see no change.
    const operation = await this.#load(tenantId, operationId).catch(() => undefined);
    const fingerprint = operation === undefined ? watched.fingerprint : fingerprintOf(operation);
    if (operation !== undefined && fingerprint !== watched.fingerprint) {
      Object.assign(watched, { operation, fingerprint, revision: watched.revision + 1 });
      for (const wake of watched.wake) wake();
    }
    if (watched.watchers === 0) return;
    watched.timer = setTimeout(() => void this.#poll(watched, tenantId, operationId), POLL_MS);
  }
}

function changed(watched: Watched, ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      watched.wake.delete(wake);
      ended.removeEventListener('abort', wake);
      resolve();
    };
    watched.wake.add(wake);
    ended.addEventListener('abort', wake);
  });
}

/**
 * Tells a state of an operation from others: by the reasons why it waits, not by their ends, which move by themselves.
 */
export function fingerprintOf({ waitingFor = [], ...operation }: Operation): string {
  return JSON.stringify([operation, waitingFor.map(({ what }) => what)]);
}
