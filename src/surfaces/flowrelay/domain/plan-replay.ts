import { wantsEvent } from '../../../domain/endpoints/endpoint-match.ts';
import type { EndpointState } from '../../../domain/endpoints/endpoint-state.ts';
import type { EventFilter } from '../../../domain/endpoints/event-filter.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';
import { type AcceptedFacts, type HandoffFacts, mayHaveStarted, ownHandoffs } from './receipt.ts';
import { decideHandoff, decideReplay, isAfresh, type ReplayUsage } from './replay-decision.ts';
import type { ReplayRefusal } from './replay-refusal.ts';

/** Why an endpoint is not ready for a replay. */
export const READINESS_REASONS = ['endpoint_disabled', 'no_longer_wants_event', 'nothing_matches'] as const;

/** One of {@link READINESS_REASONS}. */
export type ReadinessReason = (typeof READINESS_REASONS)[number];

/** An endpoint as it is now, with the facts by which the target of a replay is chosen. */
export interface TargetEndpoint {
  endpointId: Id<'endpoint'>;
  version: number;
  state: EndpointState;
  eventTypes?: string[];
  filter?: EventFilter;
}

/** A handoff, with the facts by which the target of a replay is chosen. */
export type TargetHandoff = HandoffFacts & { endpointId: Id<'endpoint'> };

/** Why a replay may make something happen twice; the first that applies. */
export type DuplicateRisk = 'delivered' | 'uncertain' | 'failed_there' | 'resent';

/** The plan of a replay, as things are: one handoff again, or an event matched afresh for its first handoffs. */
export interface ReplayPlan<Endpoint extends TargetEndpoint, Handoff extends TargetHandoff> {
  kind: 'handoff' | 'afresh';
  targets: { endpoint: Endpoint; handoff?: Handoff; notReady: ReadinessReason[] }[];
  /** The reasons why it cannot be confirmed; none where it can. */
  notReady: ReadinessReason[];
  /** Processing behind an endpoint may have begun because of an earlier handoff, or of one that stands for it. */
  duplicateRisk?: DuplicateRisk;
}

/** The material of a plan. */
export interface Material<Endpoint, Handoff> {
  /** Whether an endpoint wants the event, by its present types and filter. */
  wants(endpoint: TargetEndpoint): boolean;
  receipt: Omit<AcceptedFacts, 'handoffs'>;
  handoffs: Handoff[];
  /** Those that the handoffs name, deleted ones too, and all others that are not deleted. */
  endpoints: Endpoint[];
  /** Endpoints that have an event of the same id, which stands for this one there. */
  heldElsewhere?: readonly string[];
  usage: ReplayUsage;
  askedEndpointId?: Id<'endpoint'>;
}

type Planned<Endpoint extends TargetEndpoint, Handoff extends TargetHandoff> =
  | { plan: ReplayPlan<Endpoint, Handoff> }
  | { refusal: ReplayRefusal }
  | { several: true };

/**
 * Plans a replay of an event, or says why there is none; `several` where the caller has to say which handoff is meant.
 */
export function planReplay<Endpoint extends TargetEndpoint, Handoff extends TargetHandoff>(
  material: Material<Endpoint, Handoff>,
): Planned<Endpoint, Handoff> {
  const { wants, handoffs, endpoints, usage, askedEndpointId } = material;
  const receipt: AcceptedFacts = { ...material.receipt, handoffs };
  const decision = decideReplay(receipt, usage);
  // More can be said of one handoff than of all.
  if (!decision.possible && (isAfresh(receipt) || askedEndpointId === undefined))
    return { refusal: decision.refusal };
  const asked = handoffs.filter(({ endpointId }) => endpointId === askedEndpointId);
  if (isAfresh(receipt)) {
    const own = asked[0] && decideHandoff(receipt, asked[0], usage);
    return own && !own.possible ? { refusal: own.refusal } : planAfresh(material);
  }

  const possible = askedEndpointId === undefined ? ownHandoffs(handoffs) : asked;
  if (possible.length > 1) return { several: true };
  const handoff = possible[0];
  const endpoint = endpoints.find(({ endpointId }) => endpointId === handoff?.endpointId);
  if (!handoff || !endpoint)
    return { refusal: decision.possible ? { reason: 'other_target' } : decision.refusal };
  const own = decideHandoff(receipt, handoff, usage);
  if (!own.possible) return { refusal: own.refusal };
  const notReady: ReadinessReason[] = [];
  if (endpoint.state === 'disabled') notReady.push('endpoint_disabled');
  if (!wants(endpoint)) notReady.push('no_longer_wants_event');
  const duplicateRisk = riskOf(handoff);
  return {
    plan: {
      kind: 'handoff',
      targets: [{ endpoint, handoff, notReady }],
      notReady,
      ...(duplicateRisk ? { duplicateRisk } : {}),
    },
  };
}

/** An event that nothing was ready for goes to the endpoints that want it now and never had it. */
function planAfresh<Endpoint extends TargetEndpoint, Handoff extends TargetHandoff>({
  wants,
  handoffs,
  endpoints,
  heldElsewhere = [],
  askedEndpointId,
}: Material<Endpoint, Handoff>): Planned<Endpoint, Handoff> {
  const own = ownHandoffs(handoffs);
  const suppressed = handoffs.filter((handoff) => !own.includes(handoff));
  const taken = new Set([...heldElsewhere, ...suppressed.map(({ endpointId }) => endpointId)]);
  const asked = endpoints.filter(
    ({ endpointId }) => askedEndpointId === undefined || endpointId === askedEndpointId,
  );
  if (asked.length === 0 && askedEndpointId !== undefined) return { refusal: { reason: 'other_target' } };
  if (askedEndpointId !== undefined && asked[0]?.state === 'deleted')
    return { refusal: { reason: 'endpoint_deleted' } };
  const wanting = asked.filter(
    (endpoint) => endpoint.state !== 'deleted' && !taken.has(endpoint.endpointId) && wants(endpoint),
  );
  const ready = wanting.filter(({ state }) => state === 'enabled');
  return {
    plan: {
      kind: 'afresh',
      targets: ready.map((endpoint) => {
        const handoff = own.find(({ endpointId }) => endpointId === endpoint.endpointId);
        return { endpoint, ...(handoff ? { handoff } : {}), notReady: [] };
      }),
      notReady: ready.length > 0 ? [] : [wanting.length > 0 ? 'endpoint_disabled' : 'nothing_matches'],
    },
  };
}

/** How an event is matched with endpoints; its body is parsed once, and where it is not kept nothing is matched. */
export function matcherOf({
  type,
  body,
}: {
  type: string;
  body?: string | undefined;
}): (endpoint: TargetEndpoint) => boolean {
  const payload: unknown = JSON.parse(body ?? 'null');
  return (endpoint) => wantsEvent(endpoint, { type, payload });
}

/** The reasons why possible replays cannot be confirmed, as things are now. */
export interface Readiness {
  /** Of the receipt: none where one of the handoffs that it is about is ready. */
  whole: ReadinessReason[];
  byEndpoint: Map<string, ReadinessReason[]>;
}

/** Looks at each replay of a receipt as its preview would. */
export function readinessOf<Endpoint extends TargetEndpoint, Handoff extends TargetHandoff>(
  material: Material<Endpoint, Handoff>,
): Readiness {
  const notReadyOf = (planned: Planned<Endpoint, Handoff>) =>
    'plan' in planned ? planned.plan.notReady : [];
  const byEndpoint = new Map(
    material.handoffs.map(({ endpointId }) => [
      endpointId,
      notReadyOf(planReplay({ ...material, askedEndpointId: endpointId })),
    ]),
  );
  const planned = planReplay(material);
  if (!('several' in planned)) return { whole: notReadyOf(planned), byEndpoint };
  const undelivered = material.handoffs.filter(({ state }) => state !== 'delivered');
  const meant = undelivered.length > 0 ? undelivered : material.handoffs;
  const reasons = meant.flatMap((handoff) => {
    const asked = planReplay({ ...material, askedEndpointId: handoff.endpointId });
    return 'plan' in asked ? [asked.plan.notReady] : [];
  });
  const whole = reasons.some((each) => each.length === 0) ? [] : [...new Set(reasons.flat())];
  return { whole, byEndpoint };
}

function riskOf(handoff: HandoffFacts): DuplicateRisk | undefined {
  if (handoff.state === 'delivered') return 'delivered';
  if (handoff.open === 'unknown' || handoff.mayHaveArrived) return 'uncertain';
  if (mayHaveStarted(handoff)) return 'failed_there';
  return handoff.resentAs === undefined ? undefined : 'resent';
}
