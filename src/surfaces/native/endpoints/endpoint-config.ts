import type { z } from 'zod';
import { type Problem, problem } from '../../../api/problems/problem.ts';
import type { EndpointConfig } from '../../../domain/endpoints/endpoint.ts';
import { hasNewOrigin } from '../../../domain/endpoints/new-origin.ts';
import type { EndpointPresets } from '../../../domain/endpoints/preset.ts';
import { type ProbeRequest, probeUrl } from '../../../domain/sending/probe.ts';
import { fixedId, showId } from '../../../domain/tenancy/typed-id.ts';
import type { AddressGuard } from '../../../outbound/address-guard.ts';
import type { Sealer } from '../../../sealing/sealing.ts';
import { endpointHeadersContext } from '../../../sealing/sealing-contexts.ts';
import { sealedCertificate } from './endpoint-certificates.ts';
import { ENDPOINT_DEFAULTS, type EndpointChange } from './endpoint-schema.ts';

type Change = z.output<typeof EndpointChange>;

/** Stands for a delivery in an address that is only looked at. */
const NO_DELIVERY = fixedId('delivery', '00000000-0000-0000-0000-000000000000');

/** The configuration that a change makes of an earlier one, or of the defaults. */
export function changedConfig(
  { sealer, presets }: { sealer: Sealer; presets: EndpointPresets },
  endpointId: string,
  change: Change,
  was: Omit<EndpointConfig, 'url'> & { url?: string } = ENDPOINT_DEFAULTS,
): EndpointConfig {
  const before = { ...was, ...(change.preset ? presets.get(change.preset)?.config : {}) };
  const keep = <Name extends keyof EndpointConfig & keyof Change>(name: Name) =>
    change[name] === undefined ? before[name] : (change[name] ?? undefined);
  const optional = {
    eventTypes: keep('eventTypes'),
    filter: keep('filter'),
    ratePerSecond: keep('ratePerSecond'),
    maxConcurrency: keep('maxConcurrency'),
    probe: keep('probe'),
    preset: keep('preset'),
    partner: keep('partner'),
    caCertificate: keep('caCertificate'),
    clientCertificate:
      change.clientCertificate === undefined
        ? before.clientCertificate
        : sealedCertificate(sealer, endpointId, change.clientCertificate),
    sealedHeaders:
      change.headers === undefined
        ? before.sealedHeaders
        : change.headers === null || Object.keys(change.headers).length === 0
          ? undefined
          : sealer.seal(JSON.stringify(change.headers), endpointHeadersContext(endpointId)),
  };
  return {
    url: change.url ?? before.url ?? '',
    timeoutMs: change.timeoutMs ?? before.timeoutMs,
    retry: {
      maxAttempts: change.retry?.maxAttempts ?? before.retry.maxAttempts,
      initialMs: change.retry?.initialMs ?? before.retry.initialMs,
      factor: change.retry?.factor ?? before.retry.factor,
      capMs: change.retry?.capMs ?? before.retry.capMs,
    },
    giveUpAfterMs: change.giveUpAfterMs ?? before.giveUpAfterMs,
    onAmbiguous: change.onAmbiguous ?? before.onAmbiguous,
    reconcileWithinMs: change.reconcileWithinMs ?? before.reconcileWithinMs,
    requireAck: change.requireAck ?? before.requireAck,
    traceparent: change.traceparent ?? before.traceparent,
    protect: change.protect ?? before.protect,
    ordered: change.ordered ?? before.ordered,
    onExhausted: change.onExhausted ?? before.onExhausted,
    onRecovered: change.onRecovered ?? before.onRecovered,
    ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) as Pick<
      EndpointConfig,
      | 'eventTypes'
      | 'filter'
      | 'ratePerSecond'
      | 'maxConcurrency'
      | 'sealedHeaders'
      | 'probe'
      | 'preset'
      | 'partner'
      | 'caCertificate'
      | 'clientCertificate'
    >),
  };
}

/**
 * Why a URL is refused: by its text, or by the addresses that its name resolves to now. It is checked again at each
 * connection.
 */
export async function refusedUrl(guard: AddressGuard, url: string): Promise<Problem | undefined> {
  const check = await guard.resolveAndCheck(url);
  if (check.ok) return undefined;
  return problem('endpoint_url_refused', {
    detail: check.detail,
    errors: [{ pointer: '#/url', code: check.code, message: check.detail }],
  });
}

/** Why the address of a status request is refused. */
export async function refusedProbeUrl(
  guard: AddressGuard,
  probe: ProbeRequest | null | undefined,
): Promise<Problem | undefined> {
  if (!probe) return undefined;
  const check = await guard.resolveAndCheck(probeUrl(probe, showId('delivery', NO_DELIVERY)));
  if (check.ok) return undefined;
  return problem('endpoint_url_refused', {
    detail: check.detail,
    errors: [{ pointer: '#/probe/urlTemplate', code: check.code, message: check.detail }],
  });
}

/** Why a preset that does not exist is refused. */
export function refusedPreset(
  presets: EndpointPresets,
  { preset }: Pick<Change, 'preset'>,
): Problem | undefined {
  if (preset === undefined || preset === null || presets.has(preset)) return undefined;
  const message = `Expected one of ${[...presets.keys()].join(', ')}.`;
  return problem('invalid_request', { errors: [{ pointer: '#/preset', code: 'invalid_value', message }] });
}

/** Why a configuration that is to probe but does not say where is refused. */
export function refusedProbing({
  probe,
  onAmbiguous,
}: Pick<EndpointConfig, 'probe' | 'onAmbiguous'>): Problem | undefined {
  if (probe !== undefined || onAmbiguous !== 'probe') return undefined;
  const message = 'Expected where to ask: `onAmbiguous` is `probe`.';
  return problem('invalid_request', { errors: [{ pointer: '#/probe', code: 'required', message }] });
}

/**
 * Why a caller who may only edit is refused a new origin: the sealed headers were given for the old one, and the
 * receiver at the new one would read them. Sent again, or taken away, they are the caller's to give.
 */
export function refusedOrigin(
  before: EndpointConfig,
  after: EndpointConfig,
  change: Change,
): Problem | undefined {
  if (before.sealedHeaders === undefined || change.headers !== undefined || !hasNewOrigin(before, after))
    return undefined;
  return problem('invalid_request', {
    detail:
      'The custom headers of this endpoint were given for its origin, and would go to another one: send all of them with their values, or null to take them away. A credential with the scope `write:endpoints` may move them.',
    errors: [
      {
        pointer: '#/headers',
        code: 'required',
        message: 'Expected the headers with their values, or null: the origin is a new one.',
      },
    ],
  });
}

/** Why the endpoint of a listener is not changed. */
export function refusedListener(): Problem {
  return problem('state_conflict', {
    detail: 'This endpoint is a listener’s, and ends with it: open another listener with what you want.',
  });
}

/** Why a policy whose waits could never be as it says is refused. */
export function refusedRetry({ retry }: Pick<EndpointConfig, 'retry'>): Problem | undefined {
  if (retry.initialMs <= retry.capMs) return undefined;
  const message = `Expected at least \`initialMs\`, which is ${retry.initialMs}: give both.`;
  return problem('invalid_request', {
    errors: [{ pointer: '#/retry/capMs', code: 'out_of_range', message }],
  });
}
