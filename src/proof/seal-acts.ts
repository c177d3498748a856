import { setTimeout as delay } from 'node:timers/promises';
import type { Operation } from '../domain/operations/operation.ts';
import { hasUnsealedActs, sealEntries } from '../store/audit/sealing.ts';
import { type Pool, withTransaction } from '../store/db/pool.ts';

/** A report that would wait longer is signed without the last acts in the chain, and says so. */
const WAITS_MS = 10_000;
const LOOKS_EVERY_MS = 50;
const ENTRIES = 500;

/**
 * Gives the acts on an operation their places in the audit chain of its tenant, which its report names the end of; in
 * the place of a sealer, which would do so within a second. Waits for one that is at work.
 */
export async function sealActsOf(
  pool: Pool,
  { id, tenantId }: Pick<Operation, 'id' | 'tenantId'>,
  stop: AbortSignal,
): Promise<void> {
  const until = performance.now() + WAITS_MS;
  while (!stop.aborted && performance.now() < until && (await hasUnsealedActs(pool, tenantId, id))) {
    const sealed = await withTransaction(pool, (tx) => sealEntries(tx, tenantId, ENTRIES));
    if (sealed === 0) await delay(LOOKS_EVERY_MS, undefined, { signal: stop }).catch(() => {});
  }
}
