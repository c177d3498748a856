import type { HandedRequest, ListenerAnswer } from '../../domain/listeners/handed-request.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { Notices } from '../db/notices.ts';
import type { Pool } from '../db/pool.ts';
import type { Queryable } from '../db/queryable.ts';

/*
 * The way of one request: its sender hands it over, the process that holds the listener's connection takes it, the
 * listener answers, and the sender settles it, whatever came of it.
 */

const HANDED_CHANNEL = 'redrive_handed';
const ANSWERED_CHANNEL = 'redrive_answered';

/** Hears which listeners something was handed to. */
export function handedNotices(pool: Pool): Notices {
  return new Notices(pool, HANDED_CHANNEL);
}

/** Hears which requests were answered. */
export function answeredNotices(pool: Pool): Notices {
  return new Notices(pool, ANSWERED_CHANNEL);
}

/** A request as it is handed over. */
export interface NewHandedRequest {
  id: string;
  listenerId: Id<'listener'>;
  deliveryId: Id<'delivery'>;
  headers: Readonly<Record<string, string>>;
  timeoutMs: number;
}

/** Hands a request to a listener; false where that has ended. */
export async function handOver(db: Queryable, request: NewHandedRequest): Promise<boolean> {
  const { rows } = await db.query(
    `with made as (
      insert into listener_requests (id, listener_id, tenant_id, delivery_id, headers, expires_at)
      select $1, l.id, l.tenant_id, $3, $4, clock_timestamp() + $5::float8 * interval '1 millisecond'
      from listeners l where l.id = $2 and l.ended_at is null and l.expires_at > clock_timestamp()
      returning listener_id
    )
    select pg_notify('${HANDED_CHANNEL}', listener_id::text) from made`,
    [request.id, request.listenerId, request.deliveryId, JSON.stringify(request.headers), request.timeoutMs],
  );
  return rows.length === 1;
}

/** A request that goes down a connection. */
export interface TakenRequest {
  deliveryId: Id<'delivery'>;
  headers: Record<string, string>;
  body: string;
  /** When its sender stops waiting. */
  expiresAt: Date;
  /** The time until then, for those whose clock says something else. */
  leftMs: number;
  /** Which of the tokens answers it. */
  token: number;
}

/**
 * Takes the oldest requests that wait at a listener, at most one for each hash of a token; undefined where the listener
 * has ended.
 */
export async function takeHanded(
  db: Queryable,
  listenerId: Id<'listener'>,
  tokenHashes: readonly Buffer[],
): Promise<TakenRequest[] | undefined> {
  const { rows } = await db.query<{
    delivery_id: Id<'delivery'> | null;
    headers: Record<string, string>;
    body: string;
    expires_at: Date;
    left_ms: number;
    token: number;
  }>(
    `with present as materialized (
      select l.id from listeners l join endpoints n on n.id = l.endpoint_id
      where l.id = $1 and l.ended_at is null and l.expires_at > clock_timestamp() and n.state <> 'deleted'
    ), due as materialized (
      select r.id, row_number() over (order by r.id) as token from (
        select r.id from listener_requests r join present l on l.id = r.listener_id
        where r.handed_at is null and r.expires_at > clock_timestamp()
        order by r.id limit cardinality($2::bytea[]) for update of r skip locked
      ) r
    ), taken as (
      update listener_requests r set handed_at = clock_timestamp(), token_hash = ($2::bytea[])[d.token]
      from due d where r.id = d.id
      returning r.delivery_id, r.headers, r.expires_at, d.token
    ), sent as (
      -- Erased meanwhile: there is nothing to send, and its sender hears that it is late.
      select t.*, p.body from taken t join deliveries d on d.id = t.delivery_id
      cross join lateral (select x.body from payloads x where x.event_id = d.event_id limit 1) p
    )
    select s.delivery_id, s.headers, s.body, s.expires_at, s.token::int,
      greatest(0, extract(epoch from s.expires_at - clock_timestamp()) * 1000)::int as left_ms
    from present left join sent s on true
    order by s.token`,
    [listenerId, tokenHashes],
  );
  if (rows.length === 0) return undefined;
  return rows.flatMap(
    ({ delivery_id: deliveryId, headers, body, expires_at: expiresAt, left_ms: leftMs, token }) =>
      deliveryId === null ? [] : [{ deliveryId, headers, body, expiresAt, leftMs, token: token - 1 }],
  );
}

/** Takes the answer of a listener to one of its requests; false where that waits for none any more. */
export async function answerHanded(
  db: Queryable,
  listenerId: Id<'listener'>,
  tokenHash: Buffer,
  answer: ListenerAnswer,
): Promise<boolean> {
  const { rows } = await db.query(
    `with answered as (
      update listener_requests set answered_at = clock_timestamp(), status = $3, excerpt = $4
      where listener_id = $1 and token_hash = $2 and answered_at is null and expires_at > clock_timestamp()
      returning id
    )
    select pg_notify('${ANSWERED_CHANNEL}', id::text) from answered`,
    [
      listenerId,
      tokenHash,
      answer === 'unreachable' ? null : answer.status,
      answer === 'unreachable' ? null : Buffer.from(answer.excerpt),
    ],
  );
  return rows.length === 1;
}

/** Whether a request is answered, or will not be: its listener has ended, or somebody has removed it. */
export async function isSettled(db: Queryable, id: string): Promise<boolean> {
  const { rows } = await db.query<{ settled: boolean }>(
    `select r.answered_at is not null or l.ended_at is not null as settled
     from listener_requests r join listeners l on l.id = r.listener_id where r.id = $1`,
    [id],
  );
  return rows[0]?.settled ?? true;
}

/** Ends a request, after which no answer counts; how far it came. */
export async function settleHanded(db: Queryable, id: string): Promise<HandedRequest> {
  const { rows } = await db.query<{
    handed: boolean;
    ended: boolean;
    answered: boolean;
    status: number | null;
    excerpt: Buffer | null;
  }>(
    `delete from listener_requests r using listeners l where r.id = $1 and l.id = r.listener_id
     returning r.handed_at is not null as handed, l.ended_at is not null as ended, r.answered_at is not null as answered,
       r.status, r.excerpt`,
    [id],
  );
  const [row] = rows;
  // Removed by somebody else, so that nobody knows: it may have arrived.
  if (!row) return { handed: true, ended: true };
  const { answered, status, excerpt, ...came } = row;
  if (!answered) return came;
  return {
    ...came,
    answer: status === null ? 'unreachable' : { status, excerpt: excerpt ?? new Uint8Array() },
  };
}

/** Removes requests whose sender is gone, some time after it stopped waiting. */
export async function dropHanded(db: Queryable, afterMs: number, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    `delete from listener_requests where id in (
      select id from listener_requests where expires_at < clock_timestamp() - $1::float8 * interval '1 millisecond' limit $2)`,
    [afterMs, limit],
  );
  return rowCount ?? 0;
}
