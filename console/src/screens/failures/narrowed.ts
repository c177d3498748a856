import type { Schema } from '../../api/client.ts';
import type { DeliveryQuery } from '../../api/delivery-query.ts';

type Group = Schema<'FailureGroup'>;

/** The members of the filter that a group adds. */
export function narrowed({ endpointId, faultCode, httpStatus }: Group): DeliveryQuery {
  return {
    ...(endpointId ? { endpointIds: [endpointId] } : {}),
    ...(faultCode ? { faultCodes: [faultCode] as NonNullable<DeliveryQuery['faultCodes']> } : {}),
    ...(httpStatus ? { httpStatus: [httpStatus] as NonNullable<DeliveryQuery['httpStatus']> } : {}),
  };
}

/**
 * Whether the filter of a group selects its deliveries and no others: no filter asks for those without a cause or a status,
 * so that it may select what is in another group, too.
 */
export function isSelectedAlone(group: Group, { groups, others }: Schema<'FailureGroups'>): boolean {
  const { endpointId, faultCode, httpStatus } = group;
  if (endpointId && faultCode && httpStatus) return true;
  return (
    others.groups === 0 &&
    groups.every(
      (other) =>
        other === group ||
        (endpointId && other.endpointId !== endpointId) ||
        (faultCode && other.faultCode !== faultCode) ||
        (httpStatus && other.httpStatus !== httpStatus),
    )
  );
}
