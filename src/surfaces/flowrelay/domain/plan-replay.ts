import { wantsEvent } from '../../../domain/endpoints/endpoint-match.ts';
import type { EndpointState } from '../../../domain/endpoints/endpoint-state.ts';
import type { EventFilter } from '../../../domain/endpoints/event-filter.ts';
import { foundNoWorkflow, type HandoffFacts, mayHaveStarted } from './receipt.ts';
import { handoffAvailability, type ReplayRefusal, replayAvailability } from './replay-refusal.ts';

/** Why an endpoint is not ready for a replay. */
export const READINESS_REASONS = [
  'endpoint_disabled',
  'endpoint_deleted',
  'no_longer_wants_event',
  'nothing_matches',
] as const;

/** One of {@link READINESS_REASONS}. */
export type ReadinessReason = (typeof READINESS_REASONS)[number];

/** What choosing the target of a replay needs of an endpoint as it is now. */
export interface TargetEndpoint {
  endpointId: string;
  version: number;
  state: EndpointState;
  eventTypes?: string[];
  filter?: EventFilter;
}

/** What choosing the target of a replay needs of a handoff. */
export type TargetHandoff = HandoffFacts & { endpointId: string };

/** What a replay would do, as things are: one handoff again, or an event matched afresh for its first. */
export interface ReplayPlan<Endpoint extends TargetEndpoint, Handoff extends TargetHandoff> {
  kind: 'handoff' | 'afresh';
  targets: { endpoint: Endpoint; handoff?: Handoff; notReady: ReadinessReason[] }[];
  /** What is in the way; nothing where it can be confirmed. */
  notReady: ReadinessReason[];
  /** What is behind an endpoint may have begun because of an earlier handoff. */
  duplicateRisk: boolean;
}

/** What a plan is made of; the body is absent where it is not kept. */
interface Material<Endpoint, Handoff> {
  event: { type: string; body?: string; duplicateOf?: string };
  handoffs: Handoff[];
  /** Those that the handoffs name, deleted ones too, and all others that are not deleted. */
  endpoints: Endpoint[];
  askedEndpointId?: string;
}

/** Plans a replay of an event, or says why there is none; `several` where it has to be said which handoff is meant. */
export function planReplay<Endpoint extends TargetEndpoint, Handoff extends TargetHandoff>({
  event,
  handoffs,
  endpoints,
  askedEndpointId,
}: Material<Endpoint, Handoff>):
  | { plan: ReplayPlan<Endpoint, Handoff> }
  | { refusal: ReplayRefusal }
  | { several: true } {
  const receipt = {
    request: 'accepted',
    duplicate: event.duplicateOf !== undefined,
    retention: event.duplicateOf ? 'never_kept' : event.body === undefined ? 'expired' : 'retained',
    handoffs,
  } as const;
  const whole = replayAvailability(receipt);
  if (!whole.available && whole.reason !== 'not_terminal')
    return {
      refusal: { reason: whole.reason, ...(event.duplicateOf ? { firstEventId: event.duplicateOf } : {}) },
    };
  const payload: unknown = JSON.parse(event.body ?? 'null');
  const wants = (endpoint: Endpoint) => wantsEvent(endpoint, { type: event.type, payload });
  const asked = (endpointId: string) => askedEndpointId === undefined || endpointId === askedEndpointId;

  if (foundNoWorkflow(handoffs)) {
    const candidates = endpoints.filter(({ endpointId }) => asked(endpointId));
    if (askedEndpointId !== undefined && candidates.length === 0)
      return { refusal: { reason: 'other_target' } };
    const wanting = candidates.filter((endpoint) => endpoint.state !== 'deleted' && wants(endpoint));
    const ready = wanting.filter(({ state }) => state === 'enabled');
    const handoffAt = (endpoint: Endpoint) =>
      handoffs.find(({ endpointId }) => endpointId === endpoint.endpointId);
    return {
      plan: {
        kind: 'afresh',
        targets: ready.map((endpoint) => {
          const handoff = handoffAt(endpoint);
          return { endpoint, ...(handoff ? { handoff } : {}), notReady: [] };
        }),
        notReady: ready.length > 0 ? [] : [wanting.length > 0 ? 'endpoint_disabled' : 'nothing_matches'],
        duplicateRisk: false,
      },
    };
  }

  const possible = handoffs.filter(({ endpointId }) => asked(endpointId));
  if (possible.length > 1) return { several: true };
  const handoff = possible[0];
  const endpoint = endpoints.find(({ endpointId }) => endpointId === handoff?.endpointId);
  if (!handoff || !endpoint) return { refusal: { reason: 'other_target' } };
  const availability = handoffAvailability(receipt, handoff);
  if (!availability.available) return { refusal: { reason: availability.reason } };
  const notReady: ReadinessReason[] = [];
  if (endpoint.state !== 'enabled') notReady.push(`endpoint_${endpoint.state}`);
  if (!wants(endpoint)) notReady.push('no_longer_wants_event');
  return {
    plan: {
      kind: 'handoff',
      targets: [{ endpoint, handoff, notReady }],
      notReady,
      duplicateRisk: mayHaveStarted(handoff),
    },
  };
}
