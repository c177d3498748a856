import type { z } from 'zod';
import type { Endpoint } from '../../../domain/endpoints/endpoint.ts';
import { canonicalJson } from '../../../domain/json/canonical-json.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import type { Sealer } from '../../../sealing/sealing.ts';
import { endpointHeadersContext } from '../../../sealing/sealing-contexts.ts';
import { waitsView } from '../waits.ts';
import { certificatesView } from './endpoint-certificates.ts';
import type { EndpointView } from './endpoint-schema.ts';

type Shown = z.input<typeof EndpointView>;

/** The members of a version, by which it is compared with another; headers by name only. */
export type ConfigMembers = Omit<
  Shown,
  | 'id'
  | 'handle'
  | 'luid'
  | 'state'
  | 'disabledReason'
  | 'version'
  | 'circuit'
  | 'waitingFor'
  | 'createdAt'
  | 'updatedAt'
>;

/** An endpoint as it is shown: without secrets, and of its headers the names only. */
export function endpointView(sealer: Sealer, endpoint: Endpoint): Shown {
  return {
    id: showId('endpoint', endpoint.id),
    handle: endpoint.handle,
    luid: endpoint.luid,
    state: endpoint.state,
    disabledReason: endpoint.disabledReason ?? null,
    version: endpoint.version,
    ...configMembers(sealer, endpoint),
    circuit: endpoint.circuit,
    waitingFor: waitsView(endpoint.waitingFor),
    createdAt: endpoint.createdAt.toISOString(),
    updatedAt: endpoint.updatedAt.toISOString(),
  };
}

/** The members of a configuration, as they are shown. */
export function configMembers(
  sealer: Sealer,
  { id, config }: Pick<Endpoint, 'id' | 'config'>,
): ConfigMembers {
  return {
    url: config.url,
    eventTypes: config.eventTypes ?? null,
    filter: config.filter ?? null,
    headerNames: headerNames(sealer, { id, config }),
    ...certificatesView(config),
    timeoutMs: config.timeoutMs,
    retry: config.retry,
    giveUpAfterMs: config.giveUpAfterMs,
    onAmbiguous: config.onAmbiguous,
    reconcileWithinMs: config.reconcileWithinMs,
    probe: config.probe ?? null,
    ratePerSecond: config.ratePerSecond ?? null,
    maxConcurrency: config.maxConcurrency ?? null,
    requireAck: config.requireAck,
    traceparent: config.traceparent,
    protect: config.protect,
    ordered: config.ordered,
    onExhausted: config.onExhausted,
    onRecovered: config.onRecovered,
    preset: config.preset ?? null,
    partner: config.partner ?? null,
  };
}

function headerNames(sealer: Sealer, { id, config }: Pick<Endpoint, 'id' | 'config'>): string[] {
  if (config.sealedHeaders === undefined) return [];
  const opened = sealer.open(config.sealedHeaders, endpointHeadersContext(id)).toString('utf8');
  return Object.keys(JSON.parse(opened) as Record<string, string>);
}

/** The names of the members that differ. */
export function changedMembers(was: ConfigMembers, now: ConfigMembers): (keyof ConfigMembers)[] {
  return (Object.keys(now) as (keyof ConfigMembers)[]).filter(
    (member) => canonicalJson(was[member]) !== canonicalJson(now[member]),
  );
}
