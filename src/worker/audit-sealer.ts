import type { Logger } from 'pino';
import type { Id } from '../domain/tenancy/typed-id.ts';
import type { ReportSigner } from '../proof/report-signer.ts';
import { keepSignedCheckpoint } from '../proof/sign-checkpoint.ts';
import { checkpointsDue } from '../store/audit/checkpoints.ts';
import { sealEntries, tenantsToSeal } from '../store/audit/sealing.ts';
import { type Pool, withTransaction } from '../store/db/pool.ts';
import { errorCode } from '../telemetry/error-code.ts';

/** The dependencies of a sealer. */
export interface AuditSealerOptions {
  pool: Pool;
  /** Signs the checkpoints. */
  signer: ReportSigner;
  log: Logger;
  stop: AbortSignal;
  /** Between two checkpoints of a tenant. */
  checkpointEveryMs?: number;
}

/** Tenants that are read at once. */
const TENANTS = 200;
/** Entries of one transaction: some milliseconds of work. */
const ENTRIES = 500;
const CHECKPOINT_EVERY_MS = 3_600_000;

/**
 * Gives the acts of each tenant their places in its chain, and keeps and logs the ends of the chains; every worker has
 * one, and of one tenant one at a time is at work.
 */
export class AuditSealer {
  readonly #options: AuditSealerOptions;

  constructor(options: AuditSealerOptions) {
    this.#options = options;
  }

  /** Seals all that there is. A tenant whose entries cannot be sealed keeps no other waiting. */
  async seal(): Promise<void> {
    const { pool, stop } = this.#options;
    let after: Id<'tenant'> | undefined;
    for (let full = true; full && !stop.aborted; ) {
      const tenants = await tenantsToSeal(pool, { limit: TENANTS, ...(after ? { after } : {}) });
      for (const tenantId of tenants) await this.#try('seal', () => this.#sealTenant(tenantId));
      full = tenants.length === TENANTS;
      after = tenants.at(-1);
    }
  }

  /** Keeps a checkpoint of each tenant that has acted since the last one, at most one an hour. */
  async checkpoint(): Promise<void> {
    const { pool, log, signer, checkpointEveryMs = CHECKPOINT_EVERY_MS } = this.#options;
    for (const tenantId of await checkpointsDue(pool, checkpointEveryMs))
      await this.#try('checkpoint', async () => {
        const kept = await withTransaction(pool, (tx) => keepSignedCheckpoint(tx, signer, tenantId));
        if (kept) {
          const { tenant, ...end } = kept;
          log.info({ event: 'audit.checkpoint', tenantId: tenant, ...end });
        }
      });
  }

  async #sealTenant(tenantId: Id<'tenant'>): Promise<void> {
    const { pool, stop } = this.#options;
    for (let sealed = ENTRIES; sealed === ENTRIES && !stop.aborted; )
      sealed = await withTransaction(pool, (tx) => sealEntries(tx, tenantId, ENTRIES));
  }

  async #try(part: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.log.warn({ event: 'audit.failed', part, code: errorCode(error) });
    }
  }
}
