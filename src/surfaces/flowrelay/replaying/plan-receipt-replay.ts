import { createHash } from 'node:crypto';
import { canonicalJson } from '../../../domain/json/canonical-json.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import { planReplay, type ReplayPlan } from '../domain/plan-replay.ts';
import type { ReplayRefusal } from '../domain/replay-refusal.ts';
import type { ReplayTarget } from '../store/receipt-replays.ts';
import {
  type CurrentEndpoint,
  currentEndpoints,
  findReplayEvent,
  type HandoffTip,
  handoffTips,
  type ReplayEvent,
} from '../store/replay-material.ts';

/** A replay as it would be now, and the binding that changes with each of its parts. */
export interface PlannedReplay {
  event: ReplayEvent;
  plan: ReplayPlan<CurrentEndpoint, HandoffTip>;
  targets: ReplayTarget[];
  binding: Buffer;
}

/** What is asked for: an event of a tenant, perhaps one of its endpoints, and by whom. */
export interface AskedReplay {
  tenantId: string;
  eventId: string;
  askedEndpointId?: string | undefined;
  actor: string;
}

/** Plans a replay of an event from what is in the database now. */
export async function planReceiptReplay(
  db: Queryable,
  { tenantId, eventId, askedEndpointId, actor }: AskedReplay,
): Promise<PlannedReplay | { refusal: ReplayRefusal } | { several: true } | undefined> {
  const event = await findReplayEvent(db, tenantId, eventId);
  if (!event) return undefined;
  const handoffs = await handoffTips(db, tenantId, eventId);
  const named = handoffs.map(({ endpointId }) => endpointId);
  const [others, own] = [
    await currentEndpoints(db, tenantId, undefined),
    await currentEndpoints(db, tenantId, named),
  ];
  const endpoints = [...new Map([...others, ...own].map((each) => [each.endpointId, each])).values()];
  const planned = planReplay({
    event,
    handoffs,
    endpoints,
    ...(askedEndpointId === undefined ? {} : { askedEndpointId }),
  });
  if (!('plan' in planned)) return planned;
  const { plan } = planned;
  const targets = plan.targets.map(({ endpoint, handoff }) => ({
    endpointId: endpoint.endpointId,
    version: endpoint.version,
    ...(handoff ? { deliveryId: handoff.deliveryId } : {}),
  }));
  const binding = digest(
    canonicalJson({
      actor,
      event: eventId,
      payload: digest(event.body ?? '').toString('hex'),
      kind: plan.kind,
      targets: plan.targets.map(({ endpoint, handoff }) => ({
        endpoint: endpoint.endpointId,
        version: endpoint.version,
        state: endpoint.state,
        handoff: handoff ? { id: handoff.deliveryId, state: handoff.state, newest: handoff.tip } : null,
      })),
    }),
  );
  return { event, plan, targets, binding };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
