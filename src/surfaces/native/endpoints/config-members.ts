import type { Endpoint } from '../../../domain/endpoints/endpoint.ts';
import { canonicalJson } from '../../../domain/json/canonical-json.ts';
import type { Sealer } from '../../../sealing/sealing.ts';
import { certificatesView } from './endpoint-certificates.ts';
import { headerNames } from './endpoint-config.ts';

/** The members of a version by which it is compared with another; headers by name only. */
export type ConfigMembers = Record<string, unknown>;

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
    retry: { ...config.retry },
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

/** The names of the members that differ. */
export function changedMembers(was: ConfigMembers, now: ConfigMembers): string[] {
  return Object.keys(now).filter((member) => canonicalJson(was[member]) !== canonicalJson(now[member]));
}
