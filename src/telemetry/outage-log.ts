import type { OutageChange } from '../domain/outages/outage-state.ts';
import { showId } from '../domain/tenancy/typed-id.ts';
import type { Log } from './log.ts';

const SAYS = {
  open: 'outage.opened',
  recovered: 'outage.recovered',
  closed: 'outage.closed',
  dismissed: 'outage.dismissed',
} as const;

/** Writes the one line of what became of an outage. */
export function logOutage(log: Log, { outageId, tenantId, endpointId, cause, now }: OutageChange): void {
  log.info({
    event: SAYS[now],
    outageId: showId('outage', outageId),
    tenantId: showId('tenant', tenantId),
    endpointId: showId('endpoint', endpointId),
    cause,
  });
}
