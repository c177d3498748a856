import type { Operation } from '../../domain/operations/operation.ts';
import { PIN_DAYS } from '../../domain/operations/plan.ts';
import { LEFT_OUT, type PlanRisk, riskBit } from '../../domain/operations/plan-risks.ts';
import type { Parameters } from '../db/parameters.ts';
import { type DecidedBy, decisionSql, HELD, seenSql } from '../selection/fate.ts';

/** The operation whose plan is told of. */
export type Telling = Pick<Operation, 'id' | 'kind' | 'newIdentity' | 'selection' | 'options'>;

/** How the deliveries of a page are told of. */
export interface TellOptions {
  /** Endpoints as they are now, and not as the plan met them first. */
  present?: boolean;
  /** How many deliveries are before the first of the page. */
  before: number;
  /** How many of them the plan has not summed up by endpoint yet; each endpoint has its share so far of them. */
  unsummed?: number;
  by?: DecidedBy;
  /** The page has `WHOLE_DELIVERY`. */
  whole?: boolean;
}

/** The condition of each risk, on a delivery `s`, its endpoint `n` and the version `w` that it was first sent with. */
const CONDITIONS: Record<PlanRisk, (turn: string, op: string) => string> = {
  mayHaveArrived: () => `s.state <> 'delivered' and s.tip_state is distinct from 'unknown' and s.arrived`,
  unknown: () => `s.tip_state = 'unknown'`,
  openElsewhere: (_, op) =>
    `s.tip_state = 'sending' or (s.tip_state in ('queued', 'scheduled') and not ${ENDING} and not ${STOPPED} and not ${own(op)})`,
  heldByPaused: (_, op) =>
    `s.tip_state in ('queued', 'scheduled') and not ${ENDING} and ${STOPPED} and not ${own(op)}`,
  alreadyDelivered: () => `s.state = 'delivered'`,
  endpointDisabled: () => `n.state = 'disabled'`,
  endpointDeleted: () => `n.state = 'deleted'`,
  circuitOpen: () => 'n.openings > 0',
  payloadExpired: () => 's.payload is null',
  payloadExpiresBeforeItsTurn: (turn) => `s.payload is not null and s.accepted_at + n.kept < ${turn}`,
  addressChanged: () => 'w.url <> n.url',
  // What another system sent last was signed with a secret of theirs.
  secretRotated: () => `s.tip_reason = 'imported' or n.secret_at > s.last_attempt_at`,
  filterChanged: () =>
    'w.url is not null and (w.event_types, w.filter) is distinct from (n.event_types, n.filter)',
  orderBlocked: () => 'n.ordered and blocked_by(s.id) is not null',
};

/** Its holder is about to let go of it. */
const ENDING = `coalesce(s.holder_control = 'cancel' or s.holder_state = 'closing', false)`;

/** Its holder was stopped. */
const STOPPED = `coalesce(${HELD}, false)`;

/** It is an item of the operation already: what is matched afresh is made before it is planned. */
function own(op: string): string {
  return `coalesce(s.decision = 'mine' and s.holder_id = ${op}, false)`;
}

/**
 * The statements, to follow a `page` of `(id, n)`, that make of it `told`: each delivery with its place, its endpoint and
 * the bits of its risks. Look-ups throughout, and facts of an endpoint once each: as joins the planner may read the whole
 * of the other tables.
 */
export function toldSql(operation: Telling, p: Parameters, options: TellOptions): string {
  const op = p.add(operation.id);
  const turn = turnSql(operation, p, options.before);
  const bits = (Object.keys(CONDITIONS) as PlanRisk[]).map(
    (risk) => `case when ${CONDITIONS[risk](turn, op)} then ${riskBit(risk)} else 0 end`,
  );
  const { before, unsummed = 0 } = options;
  const share = unsummed > 0 && unsummed < before ? `${p.add(before / (before - unsummed))}::float8` : '1';
  const version = options.present
    ? 'y.current_version'
    : `coalesce((select q.version from plan_endpoints q where q.operation_id = ${op} and q.endpoint_id = y.id), y.current_version)`;
  return `op as materialized (
      select o.watermark, greatest(o.not_before, now()) as begins_at, a.origin,
        retention_days(t.settings, 'payload') as kept_days
      from operations o join tenants t on t.id = o.tenant_id join plans a on a.operation_id = o.id where o.id = ${op}
    ),
    -- Each fact is looked up once, however many conditions ask for it.
    seen as materialized (
      select f.*, (select b.event_id from payloads b where b.event_id = f.event_id) as payload from (${seenSql({ own: ['n'], whole: options.whole ?? false, arrived: true })}) f
    ),
    decided as materialized (
      select s.*, ${decisionSql(operation, op, { changed: 'false', expired: 's.payload is null', ...options.by })} as decision
      from seen s
    ),
    met as materialized (
      select y.id, y.state, y.ordered, v.version, v.url, v.event_types, v.filter, v.rate_per_second, c.openings,
        (select max(k.created_at) from endpoint_secrets k where k.endpoint_id = y.id) as secret_at,
        coalesce((select q.items from plan_endpoints q where q.operation_id = ${op} and q.endpoint_id = y.id), 0)
          * ${share} as items,
        -- Without a term nothing expires. A plan, but no dry run, keeps payloads for some days longer.
        (op.kept_days + case when op.origin <> 'dry_run' then ${PIN_DAYS} else 0 end) * interval '1 day' as kept
      from (select distinct endpoint_id as id from decided) e
      cross join lateral (select x.* from endpoints x where x.id = e.id limit 1) y
      cross join lateral (select x.* from endpoint_versions x where x.endpoint_id = y.id and x.version = ${version} limit 1) v
      left join lateral (select x.openings from endpoint_pacing x where x.endpoint_id = y.id limit 1) c on true
      cross join op
    ),
    told as materialized (
      select s.id, s.n, s.endpoint_id, n.version, s.original_version, s.accepted_at, s.decision, s.tip_id, s.tip_open, s.holder_id,
        (${bits.join('\n        + ')}
        + case when s.decision in ('new', 'take', 'repeat') or ${own(op)} then 0 else ${LEFT_OUT} end)::smallint as risks
      from (
        select d.*, row_number() over (partition by d.endpoint_id order by d.n) as nth from decided d
      ) s
      join met n on n.id = s.endpoint_id
      cross join op
      left join lateral (
        select x.url, x.event_types, x.filter from endpoint_versions x
        where x.endpoint_id = s.endpoint_id and x.version = s.original_version limit 1
      ) w on true
    )`;
}

/** When it is a delivery's turn at the earliest, at the rates that are asked for. */
function turnSql({ options }: Telling, p: Parameters, before: number): string {
  const own =
    options.ratePerSecond === undefined
      ? '0'
      : `(${p.add(before)}::float8 + s.n) / ${p.add(options.ratePerSecond)}::float8`;
  return `op.begins_at + greatest(${own}, coalesce((n.items + s.nth) / n.rate_per_second, 0)) * interval '1 second'`;
}
