import { randomBytes } from 'node:crypto';
import type { ClosureReport } from '../../../src/domain/operations/operation.ts';
import { present } from '../../../src/domain/present.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import type { ClosingContext } from '../../../src/operations/close-operation.ts';
import { endHashed, freezeAndMaybeEnd } from '../../../src/proof/end-operation.ts';
import { hashLines } from '../../../src/proof/hash-ledger.ts';
import { ReportSigner } from '../../../src/proof/report-signer.ts';
import { createSealer } from '../../../src/sealing/sealing.ts';
import { LiveTraffic } from '../../../src/sending/live-traffic.ts';
import { type Pool, withTransaction } from '../../../src/store/db/pool.ts';
import type { FreezeRefused } from '../../../src/store/operations/closing.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { quietContext } from '../engine/quiet-context.ts';

const SEALER = createSealer(randomBytes(32));

/** How an operation is closed: with chunks of a size, and by a signer. */
type Closing = { linesOfChunk?: number; signer?: ReportSigner };

/** A signer as a worker has one: it has opened no key yet. */
export function newSigner(sealer = SEALER): ReportSigner {
  return new ReportSigner(sealer);
}

/** What closing takes in a worker, where nobody listens. */
export function closingContext(pool: Pool): ClosingContext {
  return { sending: { ...quietContext(pool), liveTraffic: new LiveTraffic() }, signer: newSigner() };
}

/** Closes an operation by the steps of an activity, each in its transaction, or says why that is not to be done yet. */
export async function closeOperation(
  pool: Pool,
  operationId: Id<'operation'>,
  closing?: Closing,
): Promise<{ closed: true; report: ClosureReport } | { closed: false; why: FreezeRefused }> {
  const frozen = await freeze(pool, operationId, closing);
  if (frozen.became === 'refused') return { closed: false, why: frozen.why };
  if (frozen.became !== 'closed' && frozen.became !== 'closed_already')
    await hashAndEnd(pool, operationId, closing);
  const { report } = (await loadOperation(pool, operationId)) ?? {};
  if (!report) throw new Error('an operation that has closed has no report');
  return { closed: true, report };
}

/** The first of these steps, with which everything is done where the lines make one chunk. */
export function freeze(
  pool: Pool,
  operationId: Id<'operation'>,
  { linesOfChunk, signer = newSigner() }: Closing = {},
) {
  return withTransaction(pool, (tx) => freezeAndMaybeEnd(tx, signer, operationId, linesOfChunk));
}

/** What follows a freeze; false where somebody else has ended the operation. */
export async function hashAndEnd(
  pool: Pool,
  operationId: Id<'operation'>,
  { linesOfChunk, signer = newSigner() }: Closing = {},
): Promise<boolean> {
  for await (const _chunk of hashLines(pool, operationId, present({ linesOfChunk })));
  return withTransaction(pool, (tx) => endHashed(tx, signer, operationId));
}
