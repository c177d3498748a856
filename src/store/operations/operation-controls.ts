import type { Halt } from '../../domain/operations/watch.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/**
 * Acts on an operation: by its owner and those who approve it, or by Redrive itself, which halts, holds by a policy, and
 * lets pauses expire.
 */
export const CONTROL_ACTS = [
  'pause',
  'resume',
  'rate',
  'cancel',
  'halt',
  'execute',
  'hold',
  'explain',
  'approve',
  'reject',
  'emergency',
] as const;

/** One act of steering an operation, with who did it. */
export interface OperationControl {
  did: (typeof CONTROL_ACTS)[number];
  /** As credentials name it; `redrive` where nobody asked. */
  actor: string;
  /** The rate that was set; null lifts the limit. */
  ratePerSecond?: number | null;
  /** Why it was halted. */
  halt?: Halt;
  at: Date;
}

/** The actor of acts that nobody asked for. */
export const ITSELF = 'redrive';

/**
 * Writes down an act on an operation, under the revision of control that it has led to, its number; the act holds the
 * operation.
 */
export async function noteControl(
  tx: Transaction,
  operationId: Id<'operation'>,
  { did, actor, ratePerSecond, halt }: Omit<OperationControl, 'at'>,
): Promise<{ number: number }> {
  return onlyRow(
    await tx.query<{ number: number }>(
      `insert into operation_controls (operation_id, number, did, actor, rate_per_second, halt)
       select id, control_revision, $2, $3, $4, $5 from operations where id = $1 returning number`,
      [operationId, did, actor, ratePerSecond ?? null, halt ? JSON.stringify(halt) : null],
    ),
  );
}

type ControlRow = {
  did: OperationControl['did'];
  actor: string;
  rate_per_second: number | null;
  halt: Halt | null;
  at: Date;
};

/** The acts on a tenant's operation, in their order; the newest `limit` of them. */
export async function controlsOf(
  db: Queryable,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
  limit = 500,
): Promise<OperationControl[]> {
  const { rows } = await db.query<ControlRow>(
    `select c.did, c.actor, c.rate_per_second, c.halt, c.at from operation_controls c
     where c.operation_id = $1 and exists (select from operations o where o.id = $1 and o.tenant_id = $2)
     order by c.number desc limit $3`,
    [operationId, tenantId, limit],
  );
  return rows.reverse().map(({ rate_per_second: ratePerSecond, halt, ...control }) => ({
    ...control,
    ...(control.did === 'rate' ? { ratePerSecond } : {}),
    ...present({ halt }),
  }));
}
