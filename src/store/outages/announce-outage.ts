import type { AuditDetail } from '../../domain/audit/audit-entry.ts';
import type { OutageChange } from '../../domain/outages/outage-state.ts';
import { showId } from '../../domain/tenancy/typed-id.ts';
import { announce } from '../announcements/announce.ts';
import type { Transaction } from '../db/queryable.ts';

/** Tells that an outage has opened or that its endpoint is back: each time that it does, and once. */
export async function announceOutage(
  tx: Transaction,
  { outageId, tenantId, endpointId, cause, openings, beganAt }: OutageChange,
  type: 'outage.opened' | 'outage.recovered',
  data: AuditDetail = {},
): Promise<void> {
  await announce(tx, {
    type,
    tenantId,
    outage: showId('outage', outageId),
    endpointId,
    ...(cause === 'disabled' ? {} : { since: beganAt }),
    once: openings,
    data: { cause, from: beganAt.toISOString(), ...data },
  });
}
