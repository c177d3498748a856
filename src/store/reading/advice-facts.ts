import type { EndpointState } from '../../domain/endpoints/endpoint-state.ts';
import type { Control, OperationState } from '../../domain/operations/operation-state.ts';
import type { RetryFacts } from '../../domain/operations/retry-fate.ts';
import { present } from '../../domain/present.ts';
import type { DeliveryState } from '../../domain/sending/delivery-state.ts';
import type { ExecutionState } from '../../domain/sending/execution-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';
import { seenSql } from '../selection/fate.ts';

/** The facts by which a retry of one delivery is decided, as they are now, and the ids of what is in its way. */
export interface RetryLook {
  facts: RetryFacts;
  mayHaveArrived: boolean;
  /** Only another system has sent it so far, and it was imported from there. */
  onlyImported: boolean;
  /** Its event repeats an earlier one that is not kept any more. */
  firstGone: boolean;
  heldBy?: Id<'operation'>;
  resentBy?: Id<'delivery'>;
  blockedBy?: Id<'delivery'>;
}

interface LookRow {
  state: DeliveryState;
  tip_state: ExecutionState | null;
  tip_open: boolean;
  tip_reason: string | null;
  resent_by: Id<'delivery'> | null;
  holder_id: Id<'operation'> | null;
  holder_control: Control | null;
  holder_state: OperationState | null;
  holder_canary: 'testing' | 'passed' | 'held' | null;
  endpoint_state: EndpointState;
  payload_kept: boolean;
  may_have_arrived: boolean;
  blocked_by: Id<'delivery'> | null;
  first_gone: boolean;
}

/** Looks at a delivery of a tenant by the same facts as a freeze. */
export async function lookForRetry(
  db: Queryable,
  tenantId: Id<'tenant'>,
  deliveryId: Id<'delivery'>,
): Promise<RetryLook | undefined> {
  const { rows } = await db.query<LookRow>(
    `with page as materialized (select d.id from deliveries d where d.tenant_id = $1 and d.id = $2),
     seen as (${seenSql()})
     select s.state, s.tip_state, s.tip_open, s.tip_reason, s.resent_by, s.holder_id, s.holder_control, s.holder_state,
       s.holder_canary, s.endpoint_state,
       (select b.event_id from payloads b where b.event_id = s.event_id) is not null as payload_kept,
       exists (select from executions e where e.delivery_id = s.id and e.may_have_arrived) as may_have_arrived,
       exists (select from events v where v.id = s.event_id and v.duplicate_of is not null
         and (select f.id from events f where f.id = v.duplicate_of) is null) as first_gone,
       case when s.tip_state in ('queued', 'scheduled') then blocked_by(s.id) end as blocked_by
     from seen s`,
    [tenantId, deliveryId],
  );
  return rows[0] && lookFrom(rows[0]);
}

function lookFrom(row: LookRow): RetryLook {
  const open = openOf(row);
  return {
    facts: {
      delivery: row.state,
      endpoint: row.endpoint_state,
      payloadKept: row.payload_kept,
      suppressedDuplicate: !row.tip_open && row.tip_reason === 'suppressed_duplicate',
      resent: row.resent_by !== null,
      ...(open ? { open } : {}),
    },
    mayHaveArrived: row.may_have_arrived,
    onlyImported: row.tip_reason === 'imported',
    firstGone: row.first_gone,
    ...present({ heldBy: row.holder_id, resentBy: row.resent_by, blockedBy: row.blocked_by }),
  };
}

function openOf({
  tip_state: state,
  holder_control: control,
  holder_state: holderState,
  holder_canary: canary,
}: LookRow): RetryFacts['open'] {
  if (state === 'sending' || state === 'unknown') return { state };
  if (state !== 'queued' && state !== 'scheduled') return undefined;
  return {
    state,
    holder:
      control === null || holderState === null
        ? { by: 'live_lane' }
        : { by: 'operation', control, state: holderState, canaryHeld: canary === 'held' },
  };
}
