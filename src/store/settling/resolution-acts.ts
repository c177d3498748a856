import type { Resolvable } from '../../domain/operations/selection.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { lookedUp } from '../db/looked-up.ts';
import { onlyRow } from '../db/only-row.ts';
import { Parameters } from '../db/parameters.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { type FilterSql, filterSql } from '../selection/filter-conditions.ts';
import { ofEvents } from '../selection/of-events.ts';
import { EVERYTHING } from '../selection/read-from.ts';
import { RESOLVED_AS, SENT_AGAIN, sendable } from './ends.ts';
import { refoldDeliveries } from './folding.ts';

/** The outcomes of a delivery that an operator can state. */
export const RESOLUTION_OUTCOMES = ['delivered', 'failed', 'retry'] as const;

/** One of {@link RESOLUTION_OUTCOMES}. */
export type ResolutionOutcome = (typeof RESOLUTION_OUTCOMES)[number];

/** One act of settling unknown deliveries. */
export interface ResolutionAct {
  id: Id<'resolution'>;
  tenantId: Id<'tenant'>;
  outcome: ResolutionOutcome;
  selection: Resolvable;
  /** The answer, once the act was done. */
  answer?: string;
  /** It had been begun before. */
  repeated?: true;
}

/** The key by which a repeat of an act is known. */
export interface ResolutionKey {
  hash: Buffer;
  fingerprint: Buffer;
  keepMs: number;
}

/** Takes the keys that have expired from up to `limit` acts. */
export async function forgetResolutionKeys(db: Queryable, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    `update resolutions set key_hash = null, fingerprint = null, key_expires_at = null where id in (
       select id from resolutions where key_expires_at <= clock_timestamp() order by key_expires_at limit $1
       for update skip locked)`,
    [limit],
  );
  return rowCount ?? 0;
}

/**
 * Writes an act down, or finds the one that has the same key, which may have been left in its middle by a crash;
 * undefined where the key belongs to another request.
 */
export async function beginResolution(
  db: Transaction,
  act: Omit<ResolutionAct, 'id' | 'answer' | 'repeated'> & { actor: string; reason?: string },
  key?: ResolutionKey,
): Promise<ResolutionAct | undefined> {
  if (key) {
    // The row of a first use does not exist yet, so the lock is on the key itself.
    await db.query(`select pg_advisory_xact_lock(hashtextextended($1::text || encode($2, 'hex'), 4401))`, [
      act.tenantId,
      key.hash,
    ]);
    await db.query(
      `update resolutions set key_hash = null, fingerprint = null, key_expires_at = null
       where tenant_id = $1 and key_hash = $2 and key_expires_at <= clock_timestamp()`,
      [act.tenantId, key.hash],
    );
    const found = await db.query<{ id: Id<'resolution'>; fingerprint: Buffer; answer: string | null }>(
      'select id, fingerprint, answer from resolutions where tenant_id = $1 and key_hash = $2',
      [act.tenantId, key.hash],
    );
    const [row] = found.rows;
    if (row)
      return row.fingerprint.equals(key.fingerprint)
        ? { ...act, id: row.id, repeated: true, ...(row.answer === null ? {} : { answer: row.answer }) }
        : undefined;
  }
  const made = await db.query<{ id: Id<'resolution'> }>(
    `insert into resolutions (tenant_id, actor, outcome, reason, selection, key_hash, fingerprint, key_expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp() + $8::float8 * interval '1 millisecond') returning id`,
    [
      act.tenantId,
      act.actor,
      act.outcome,
      act.reason ?? null,
      JSON.stringify(act.selection),
      key?.hash ?? null,
      key?.fingerprint ?? null,
      key?.keepMs ?? null,
    ],
  );
  return { ...act, id: onlyRow(made).id };
}

/** Writes down who settled one execution, and why, in the transaction that settled it. */
export async function noteResolution(
  db: Transaction,
  {
    executionId,
    deliveryId,
    ...act
  }: { executionId: Id<'execution'>; deliveryId: Id<'delivery'> } & Pick<
    ResolutionAct,
    'tenantId' | 'outcome'
  > & {
      actor: string;
      reason?: string | undefined;
    },
): Promise<void> {
  await db.query(
    `with act as (
      insert into resolutions (tenant_id, actor, outcome, reason, selection)
      values ($1, $2, $3, $4, jsonb_build_object('deliveryIds', jsonb_build_array($5::uuid))) returning id
    )
    insert into resolved_executions (execution_id, resolution_id) select $6, id from act`,
    [act.tenantId, act.actor, act.outcome, act.reason ?? null, deliveryId, executionId],
  );
}

/** Keeps the answer for repeats; of two that were under way together the first one's answer stays. */
export async function endResolution(
  db: Queryable,
  id: Id<'resolution'>,
  answer: string,
): Promise<{ answer: string; first: boolean }> {
  const { rowCount } = await db.query('update resolutions set answer = $2 where id = $1 and answer is null', [
    id,
    answer,
  ]);
  if (rowCount === 1) return { answer, first: true };
  const { rows } = await db.query<{ answer: string }>('select answer from resolutions where id = $1', [id]);
  return { answer: rows[0]?.answer ?? answer, first: false };
}

/** SQL: what is locked is looked up in the queue one by one. */
const EACH = lookedUp('q.delivery_id', 'l.id');

/**
 * Settles up to `limit` of the deliveries that an act selects and that were unknown when it began, and links the
 * executions that it settled to it. Returns the settled deliveries, and how many it looked at. Each is fenced by its
 * state: one that somebody else has settled meanwhile is left alone. One that is to be sent again is worked by the live
 * lane when its operation has closed, and stays unknown where nothing can be sent. Deliveries are locked in the order of their ids.
 */
export async function resolveSelected(
  db: Transaction,
  { id, tenantId, outcome, selection }: ResolutionAct,
  limit: number,
): Promise<{ deliveryIds: Id<'delivery'>[]; looked: number }> {
  const p = new Parameters();
  const act = p.add(id);
  const { from, where, whole } = selectedBy(tenantId, selection, p);
  const { rows } = await db.query<{ id: Id<'delivery'>; moved: boolean }>(
    `with locked as materialized (
      select d.id from deliveries d where d.id in (
        select d.id from ${from}
        where ${where.join('\n          and ')}
          and ${unknownSince(act, whole)}
          ${outcome === 'retry' ? `and ${sendable(whole)}` : ''}
        limit ${p.add(limit)}
      ) order by d.id for no key update
    ), ${
      outcome === 'retry'
        ? `moved as (
      update queue q set ${SENT_AGAIN} from locked l where ${EACH} and q.state = 'unknown'
      returning q.execution_id as id, q.delivery_id
    )`
        : `gone as (
      delete from queue q using locked l where ${EACH} and q.state = 'unknown'
      returning q.*
    ), moved as (
      update execution_records r set ${RESOLVED_AS(p.add(outcome))} from gone g where r.id = g.execution_id
      returning r.id, r.delivery_id
    )`
    }, linked as (
      insert into resolved_executions (execution_id, resolution_id) select id, ${act} from moved on conflict do nothing
    )
    select l.id, m.id is not null as moved from locked l left join moved m on m.delivery_id = l.id`,
    p.values,
  );
  const deliveryIds = rows.filter(({ moved }) => moved).map(({ id: deliveryId }) => deliveryId);
  await refoldDeliveries(db, deliveryIds);
  return { deliveryIds, looked: rows.length };
}

/** SQL: the ids of the deliveries of a selection whose outcome is unknown now. */
export function unknownOf(tenantId: Id<'tenant'>, selection: Resolvable, p: Parameters): string {
  const { from, where } = selectedBy(tenantId, selection, p);
  return `select d.id from ${from} where ${where.join(' and ')}
      and (select q.state from queue q where q.delivery_id = d.id) = 'unknown'`;
}

/** SQL: the delivery `d`, whole as `whole`, is unknown, and was when the act began. */
const unknownSince = (act: string, whole: string): string =>
  `(select q.state from queue q where q.delivery_id = d.id) = 'unknown'
          and ${whole}.state_changed_at <= (select r.created_at from resolutions r where r.id = ${act})`;

/**
 * How many executions an act has settled; of the deliveries that it names, how many were not unknown; and how many that
 * were to be sent again are left unknown, as nothing can be sent.
 */
export async function countResolved(
  db: Queryable,
  { id, tenantId, outcome, selection }: Pick<ResolutionAct, 'id' | 'tenantId' | 'outcome' | 'selection'>,
): Promise<{ resolved: number; notUnknown: number; notSendable: number }> {
  const p = new Parameters();
  const act = p.add(id);
  const again = outcome === 'retry';
  const ofSelected = (isNamed: boolean) => {
    // Asked for only where it is counted: a parameter that no statement names is refused.
    const { from, where, whole } = selectedBy(tenantId, selection, p);
    const left = `${unknownSince(act, whole)} and not ${sendable(whole)}`;
    const settled = `exists (select from resolved_executions r join execution_records e on e.id = r.execution_id
           where r.resolution_id = ${act} and e.delivery_id = d.id)`;
    return `count(*) filter (where ${isNamed ? `not ${settled} ${again ? `and (${left}) is not true` : ''}` : 'false'})::int as not_unknown,
         count(*) filter (where ${again ? left : 'false'})::int as not_sendable
       from ${from} where ${where.join(' and ')}`;
  };
  const isNamed = !('filter' in selection);
  const { rows } = await db.query<{ resolved: number; not_unknown: number; not_sendable: number }>(
    `select (select count(*)::int from resolved_executions r where r.resolution_id = ${act}) as resolved,
       ${isNamed || again ? ofSelected(isNamed) : '0 as not_unknown, 0 as not_sendable'}`,
    p.values,
  );
  return {
    resolved: rows[0]?.resolved ?? 0,
    notUnknown: rows[0]?.not_unknown ?? 0,
    notSendable: rows[0]?.not_sendable ?? 0,
  };
}

function selectedBy(tenantId: Id<'tenant'>, selection: Resolvable, p: Parameters): FilterSql {
  if ('filter' in selection)
    return filterSql(tenantId, { ...selection.filter, state: ['unknown'] }, {}, p, { whole: true });
  const named =
    'deliveryIds' in selection
      ? `d.id = any(${p.add(selection.deliveryIds)}::uuid[])`
      : 'eventIds' in selection
        ? ofEvents('d', `${p.add(selection.eventIds)}::uuid[]`)
        : `d.id = any(array(select y.delivery_id from execution_records y where y.id = any(${p.add(selection.executionIds)}::uuid[])))`;
  return { ...EVERYTHING, where: [`d.tenant_id = ${p.add(tenantId)}`, named] };
}
