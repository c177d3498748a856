import type { ActBy } from '../../domain/audit/audit-action.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { noteAct } from '../../store/audit/entries.ts';
import { withTransaction } from '../../store/db/pool.ts';
import { dueNext } from '../../store/sending/ordering.ts';
import { endWaitingOfErased, erasePayload } from '../../store/settling/payload-retention.ts';
import type { RecoveryDeps } from '../recovery-deps.ts';

/** Erases the payload of an event, and ends what waits of it; false where the tenant has no such event. */
export async function erasePayloadOf(
  { pool, pokeLiveLane }: Pick<RecoveryDeps, 'pool' | 'pokeLiveLane'>,
  tenantId: Id<'tenant'>,
  eventId: Id<'event'>,
  by: ActBy,
): Promise<boolean> {
  const ended = await withTransaction(pool, async (db) => {
    if (!(await erasePayload(db, tenantId, eventId))) return undefined;
    const deliveryIds = await endWaitingOfErased(db, tenantId, eventId);
    await noteAct(db, { tenantId, by, action: 'event.payload_erased', target: eventId });
    return deliveryIds;
  });
  if (ended === undefined) return false;
  if (await dueNext(pool, ended)) pokeLiveLane();
  return true;
}
