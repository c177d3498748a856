import { createHash } from 'node:crypto';
import type { Operation } from '../../domain/operations/operation.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Transaction } from '../../store/db/queryable.ts';
import { type KeyUse, lockKey, storeAnswer } from '../../store/operations/idempotency-keys.ts';
import type { AcceptRequest, KeepAnswer } from './accept-request.ts';

/** A key that others wait for until the answer is stored under it. */
export interface HeldKey {
  key: KeyUse;
  keep: KeepAnswer;
  /** Names the workflow, with the id of its operation: by the key alone it would be that of an earlier use. */
  workflow: string;
}

/** The answer that is stored under a key, or that the key belongs to another request. */
export type AnsweredBefore =
  | { ok: true; body: string; operationId: Id<'operation'> }
  | { ok: false; code: 'idempotency_key_reused' };

/** Holds the key of a request; undefined where it has none. */
export async function holdKey(
  tx: Transaction,
  { tenant, idempotency }: Pick<AcceptRequest, 'tenant' | 'idempotency'>,
): Promise<HeldKey | AnsweredBefore | undefined> {
  if (!idempotency) return undefined;
  const { scope, fingerprint, keep } = idempotency;
  const key = { scope, keyHash: sha256(idempotency.key), tenantId: tenant.id, fingerprint };
  const held = await lockKey(tx, key);
  if (held.found === 'stored')
    return held.fingerprint.equals(fingerprint)
      ? { ok: true, body: held.body, operationId: held.operationId }
      : { ok: false, code: 'idempotency_key_reused' };
  const name = sha256(`${scope}\n${idempotency.key}`).toString('hex').slice(0, 32);
  return { key, keep, workflow: name };
}

/** When the answer to an operation is forgotten; undefined where no time says so. */
export function answerExpiresAt({ keep }: HeldKey, { createdAt }: Operation): Date | undefined {
  return typeof keep === 'object' ? new Date(createdAt.getTime() + keep.ms) : undefined;
}

/** Stores the answer to an operation under its key. */
export async function keepAnswer(
  tx: Transaction,
  held: HeldKey,
  operation: Operation,
  answer: { status: number; body: string },
): Promise<void> {
  await storeAnswer(tx, held.key, {
    ...answer,
    operationId: operation.id,
    whileOpen: held.keep === 'while_open',
    ...present({ expiresAt: answerExpiresAt(held, operation) }),
  });
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
