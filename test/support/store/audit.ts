import { randomUUID } from 'node:crypto';
import { type ChainVerdict, verifyChain } from '../../../clients/typescript/src/proof/verify-chain.ts';
import type { AuditCheckpoint, SealedEntry } from '../../../src/domain/audit/audit-entry.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { noteAct } from '../../../src/store/audit/entries.ts';
import { listAuditEntries } from '../../../src/store/audit/reading.ts';
import { type Pool, withTransaction } from '../../../src/store/db/pool.ts';
import type { Queryable } from '../../../src/store/db/queryable.ts';
import { createLogger } from '../../../src/telemetry/log.ts';
import { AuditSealer } from '../../../src/worker/audit-sealer.ts';
import { anyId } from './any-id.ts';
import { newSigner } from './close-operation.ts';

/** A sealer as a worker has one, and the lines that it logs. */
export function newSealer(
  pool: Pool,
  checkpointEveryMs?: number,
  signer = newSigner(),
): { sealer: AuditSealer; lines: string[] } {
  const lines: string[] = [];
  const log = createLogger({ level: 'info', destination: { write: (line) => void lines.push(line) } });
  const sealer = new AuditSealer({
    ...{ pool, signer, log, stop: new AbortController().signal },
    ...(checkpointEveryMs === undefined ? {} : { checkpointEveryMs }),
  });
  return { sealer, lines };
}

/** Enters an act of a tenant by itself. */
export function act(pool: Pool, tenantId: Id<'tenant'>, reason?: string): Promise<void> {
  return withTransaction(pool, (tx) =>
    noteAct(tx, {
      tenantId,
      by: { actor: 'test' },
      action: 'endpoint.enabled',
      target: anyId(randomUUID()),
      words: { reason },
    }),
  );
}

/** All sealed entries of a tenant. */
export function chainOf(db: Queryable, tenantId: Id<'tenant'>): Promise<SealedEntry[]> {
  return listAuditEntries(db, tenantId, {}, { order: 'oldest', limit: 100_000 });
}

/** The verdict over entries, as an export has them. */
export function verdictOf(entries: readonly SealedEntry[], checkpoints?: AuditCheckpoint[]): ChainVerdict {
  return verifyChain(
    entries.map((entry) => JSON.stringify(entry)),
    checkpoints,
  );
}
