import type { Id } from '../../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import { idHistories } from '../../../store/ingest/resends.ts';
import { type ResendFate, resendFate } from '../domain/sender-resend.ts';
import type { Receipt } from '../store/receipts.ts';
import { currentEndpoints } from '../store/replay-material.ts';

/** The fate of the event of a receipt if its sender sent it again now, under the same id. */
export async function senderResendFate(
  db: Queryable,
  tenantId: Id<'tenant'>,
  receipt: Receipt,
): Promise<ResendFate> {
  if (receipt.request === 'rejected' || !receipt.identified) return resendFate(undefined);
  const firstEventId = receipt.duplicateOf ?? receipt.id;
  const held = (await idHistories(db, tenantId, [firstEventId])).get(firstEventId)?.held ?? new Map();
  const endpoints = await currentEndpoints(db, tenantId, [...held.keys()]);
  const there = endpoints.filter(({ state }) => state !== 'deleted');
  return resendFate(there.flatMap(({ endpointId }) => held.get(endpointId)?.standing ?? []));
}
