import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** Keeps the trace of the call that asked for an operation. */
export async function keepTrace(
  tx: Transaction,
  operationId: Id<'operation'>,
  traceparent: string,
): Promise<void> {
  await tx.query('insert into operation_traces (operation_id, traceparent) values ($1, $2)', [
    operationId,
    traceparent,
  ]);
}

/** The trace of the call that asked for an operation, where that was sampled. */
export async function traceOf(db: Queryable, operationId: Id<'operation'>): Promise<string | undefined> {
  const { rows } = await db.query<{ traceparent: string }>({
    name: 'trace-of',
    text: 'select traceparent from operation_traces where operation_id = $1',
    values: [operationId],
  });
  return rows[0]?.traceparent;
}
