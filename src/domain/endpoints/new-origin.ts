import type { EndpointConfig } from './endpoint.ts';
import { originOf } from './url.ts';

/** Where an endpoint's requests go: its deliveries and its status requests carry its custom headers. */
type Places = Pick<EndpointConfig, 'url' | 'probe'>;

/** Whether requests would go to an origin (scheme, host and port) that they did not go to before. */
export function hasNewOrigin(before: Places, after: Places): boolean {
  const known = originsOf(before);
  return originsOf(after).some((origin) => !known.includes(origin));
}

/** Whether deliveries would go to another origin than before. */
export function movesDeliveries(before: Pick<Places, 'url'>, after: Pick<Places, 'url'>): boolean {
  return originOf(before.url) !== originOf(after.url);
}

function originsOf({ url, probe }: Places): string[] {
  return [originOf(url), ...(probe ? [originOf(probe.urlTemplate)] : [])];
}
