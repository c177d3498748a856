import { createHash } from 'node:crypto';
import { canonicalJson } from '../../../domain/json/canonical-json.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import { matcherOf, planReplay, type ReplayPlan } from '../domain/plan-replay.ts';
import type { ReplayUsage } from '../domain/replay-decision.ts';
import type { ReplayRefusal } from '../domain/replay-refusal.ts';
import { type ReplayTarget, replayUsage } from '../store/receipt-replays.ts';
import { type AcceptedReceipt, findReceipt } from '../store/receipts.ts';
import {
  type CurrentEndpoint,
  currentEndpoints,
  type HandoffTip,
  handoffTips,
  heldElsewhere,
  replayPayload,
} from '../store/replay-material.ts';
import { senderResendFate } from './sender-resend-fate.ts';

/** A replay as it would be now, and the binding that changes with each of its parts. */
export interface PlannedReplay {
  receipt: AcceptedReceipt;
  plan: ReplayPlan<CurrentEndpoint, HandoffTip>;
  targets: ReplayTarget[];
  usage: ReplayUsage;
  binding: Buffer;
}

/** The replay that is asked for: an event of a tenant, perhaps one of its endpoints, and the actor. */
export interface AskedReplay {
  tenantId: Id<'tenant'>;
  eventId: Id<'event'>;
  askedEndpointId?: Id<'endpoint'> | undefined;
  actor: string;
}

/** Plans a replay of an event from the present state of the database. */
export async function planReceiptReplay(
  db: Queryable,
  { tenantId, eventId, askedEndpointId, actor }: AskedReplay,
): Promise<PlannedReplay | { refusal: ReplayRefusal } | { several: true } | undefined> {
  const receipt = await findReceipt(db, tenantId, eventId);
  if (!receipt) return undefined;
  if (receipt.request === 'rejected') return { refusal: { reason: 'rejected_request' } };
  const { body, usage, material } = await loadMaterial(db, tenantId, receipt);
  const planned = planReplay({
    ...material,
    ...(askedEndpointId === undefined ? {} : { askedEndpointId }),
  });
  if ('refusal' in planned && onlySenderHelps(planned.refusal))
    return {
      refusal: { ...planned.refusal, senderResend: await senderResendFate(db, tenantId, receipt) },
    };
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
      payload: digest(body ?? '').toString('hex'),
      kind: plan.kind,
      targets: plan.targets.map(({ endpoint, handoff }) => ({
        endpoint: endpoint.endpointId,
        version: endpoint.version,
        state: endpoint.state,
        handoff: handoff ? { id: handoff.deliveryId, state: handoff.state, newest: handoff.tip } : null,
      })),
    }),
  );
  return { receipt, plan, targets, usage, binding };
}

/** Whether nothing that is kept here can be replayed in its place. */
function onlySenderHelps({ reason, firstEventId }: ReplayRefusal): boolean {
  return (
    reason === 'payload_gone' ||
    reason === 'endpoint_deleted' ||
    (reason === 'suppressed_duplicate' && firstEventId === undefined)
  );
}

/** Loads everything that a plan of a replay of this receipt is made of. */
export async function loadMaterial(db: Queryable, tenantId: Id<'tenant'>, receipt: AcceptedReceipt) {
  const body = await replayPayload(db, tenantId, receipt.id);
  const handoffs = await handoffTips(db, tenantId, receipt.id);
  const named = handoffs.map(({ endpointId }) => endpointId);
  const [others, own] = [
    await currentEndpoints(db, tenantId, undefined),
    await currentEndpoints(db, tenantId, named),
  ];
  const usage = await replayUsage(db, tenantId);
  // Read by a later statement than the receipt: a payload that was removed in between is gone.
  const retention = receipt.retention === 'retained' && body === undefined ? 'expired' : receipt.retention;
  return {
    body,
    usage,
    material: {
      wants: matcherOf({ type: receipt.eventType, body }),
      receipt: { ...receipt, retention } as const,
      handoffs,
      endpoints: [...new Map([...others, ...own].map((each) => [each.endpointId, each])).values()],
      heldElsewhere: await heldElsewhere(db, tenantId, receipt),
      usage,
    },
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
