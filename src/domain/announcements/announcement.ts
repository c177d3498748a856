import type { AuditDetail } from '../audit/audit-entry.ts';
import type { SignedCheckpoint } from '../audit/signed-checkpoint.ts';
import type { AnnouncedType } from '../endpoints/event-type.ts';
import { type Id, showId } from '../tenancy/typed-id.ts';

type OperationType = Extract<AnnouncedType, `operation.${string}`>;
type OutageType = Extract<AnnouncedType, `outage.${string}`>;

/** The operation that a fact is about. */
interface OfOperation {
  type: OperationType;
  operationId: Id<'operation'>;
}

/** The outage that a fact is about: its id as it is shown, and the endpoint that was down. */
interface OfOutage {
  type: OutageType;
  outage: string;
  endpointId: Id<'endpoint'>;
  /**
   * When it began, where what failed has opened it: it is told only where an event of somebody else was to go to the
   * endpoint since. Left out where an operator has opened it.
   */
  since?: Date;
}

/** A fact that is told to the endpoints of its tenant that name its type. */
export type Announcement = (OfOperation | OfOutage) & {
  tenantId: Id<'tenant'>;
  /**
   * Tells it from other facts of its type about the same subject, such as the revision of control that a halt has led to;
   * needless where there can be one only. A fact is told once, however often it is announced.
   */
  once?: string | number;
  /** Ids as they are shown, counts, states and codes; never anything that a customer, a sender or a receiver wrote. */
  data?: AuditDetail;
};

/** The name of a fact among those of its type. */
export function factOf(announcement: Announcement): string {
  const subject =
    'outage' in announcement ? announcement.outage : showId('operation', announcement.operationId);
  return announcement.once === undefined ? subject : `${subject}/${announcement.once}`;
}

/** Everything that is told of a fact: its subject, where to look it up, and what else is known. */
export function announcedData(announcement: Announcement): AuditDetail {
  if ('outage' in announcement) {
    const { outage, endpointId, data } = announcement;
    return {
      outageId: outage,
      endpointId: showId('endpoint', endpointId),
      ...data,
      link: `/api/v1/outages/${outage}`,
    };
  }
  const operationId = showId('operation', announcement.operationId);
  return { operationId, ...announcement.data, link: `/api/v1/retries/${operationId}` };
}

/** The event that tells a fact, as it is delivered. */
export function announcedEvent({
  type,
  tenantId,
  at,
  data,
  audit,
}: {
  type: string;
  tenantId: Id<'tenant'>;
  at: Date;
  data: AuditDetail;
  /** The end of the tenant's audit chain, signed; null before its first entry. */
  audit: SignedCheckpoint | null;
}) {
  return { type, timestamp: at.toISOString(), tenant: showId('tenant', tenantId), data, audit };
}
