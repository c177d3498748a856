import { randomInt, randomUUID } from 'node:crypto';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE, type Transaction } from '../../../src/store/db/queryable.ts';
import type { Filled } from './before-the-queue.ts';
import type { TestPool } from './test-database.ts';

/** A statement of the version before the queue, in its words, without what does not concern executions. */
type Act = (tx: Transaction, filled: Filled) => Promise<void>;

const claim =
  (owner: (filled: Filled) => string): Act =>
  async (tx, filled) => {
    await tx.query(
      `with picked as materialized (
         select x.id from executions x
         where x.in_queue and x.worked_by = $1 and x.endpoint_id = $3 and x.state in ('queued', 'scheduled')
           and x.due_at <= now() and x.give_up_at > now()
         order by x.due_at, x.id limit 20 for update of x skip locked
       ), taken as (
         update executions e set state = 'sending', lease_token = $2 from picked p where e.id = p.id returning e.id
       )
       insert into claims (token, worked_by, lease_until, execution_ids)
       select $2, $1, clock_timestamp() + interval '1 hour', array_agg(id) from taken having count(*) > 0`,
      [owner(filled), randomUUID(), filled.endpointId],
    );
  };

const record: Act = async (tx) => {
  const { rows } = await tx.query<{ token: string }>(
    'select token from claims order by random() limit 1 for update skip locked',
  );
  if (rows[0]) await recordClaim(tx, rows[0].token);
};

/** Records the outcomes of a claim, whose items may have been settled. */
export async function recordUnder(pool: TestPool, token: string): Promise<void> {
  await withTransaction(pool, (tx) => recordClaim(tx, token));
}

async function recordClaim(tx: Transaction, token: string): Promise<void> {
  const moved = await tx.query<{ delivery_id: string }>(
    `with locked as materialized (
       select d.id from deliveries d
       where d.id in (select e.delivery_id from executions e where e.lease_token = $1 and e.state = 'sending')
       order by d.id for no key update
     ), decided as materialized (
       select e.id, e.may_have_arrived as had_arrived,
         (array['delivered', 'failed', 'scheduled', 'unknown'])[1 + abs(hashtext(e.id::text)) % 4] as state
       from executions e where (select count(*) from locked) >= 0 and e.lease_token = $1 and e.state = 'sending'
     ), moved as (
       update executions e set state = d.state, reason = case when d.state = 'failed' then 'exhausted' end,
         attempts = e.attempts + 1, may_have_arrived = e.may_have_arrived or d.state = 'unknown',
         due_at = case when d.state = 'scheduled' then now() else e.due_at end,
         reconcile_until = case when d.state = 'unknown' then now() + interval '1 hour' end,
         probe_at = case when d.state = 'unknown' then now() + interval '1 second' end,
         finished_at = case when d.state in ('delivered', 'failed') then clock_timestamp() end, lease_token = null
       from decided d where e.id = d.id and e.lease_token = $1 and e.state = 'sending'
       returning e.id, e.delivery_id, e.tenant_id, e.attempts, e.state, d.had_arrived
     ), appended as (
       insert into attempts (execution_id, number, tenant_id, endpoint_version, started_at, duration_ms, outcome, resend)
       select id, attempts, tenant_id, 1, now(), 5,
         case state when 'delivered' then 'delivered' when 'unknown' then 'ambiguous' else 'retryable' end, had_arrived
       from moved
     )
     select delivery_id from moved`,
    [token],
  );
  await tx.query('delete from claims where token = $1', [token]);
  const ids = moved.rows.map((row) => row.delivery_id);
  await tx.query(
    'update deliveries set attempts = attempts + 1, last_attempt_at = now() where id = any($1::uuid[])',
    [ids],
  );
  await refold(tx, ids);
}

const freeze: Act = async (tx, { first, second }) => {
  const { rows } = await tx.query<{ delivery_id: string }>(
    `with page as materialized (
       select d.id, d.tenant_id, d.endpoint_id from deliveries d where d.state in ('failed', 'pending')
       order by random() limit 30
     ), seen as materialized (
       select p.*, t.id as tip_id, t.state as tip_state from page p cross join lateral (
         select e.id, e.state from executions e where e.delivery_id = p.id and (e.keeps_slot or e.parent_id is null)
         order by e.id desc limit 1) t
     ), taken as (
       update executions e set state = 'superseded', finished_at = clock_timestamp()
       from seen s where e.id = s.tip_id and e.state in ('queued', 'scheduled') and e.operation_id is null
       returning e.id
     ), inserted as (
       insert into executions (tenant_id, delivery_id, endpoint_id, operation_id, parent_id, worked_by, state, due_at, give_up_at)
       select s.tenant_id, s.id, s.endpoint_id, $1, s.tip_id, $1, 'queued', now(), now() + interval '1 day'
       from seen s left join taken t on t.id = s.tip_id
       where (s.tip_state = 'failed' or t.id is not null)
       on conflict do nothing returning delivery_id
     )
     select delivery_id from inserted`,
    [randomInt(2) === 0 ? first : second],
  );
  await refold(
    tx,
    rows.map((row) => row.delivery_id),
  );
};

const acknowledge: Act = async (tx) => {
  const { rows } = await tx.query<{ delivery_id: string }>(
    `update executions e set state = 'delivered', reason = 'acknowledged', acknowledged_at = clock_timestamp()
     from (select x.id from executions x where x.state = 'failed' order by random() limit 5) p
     where e.id = p.id and e.state = 'failed' returning e.delivery_id`,
  );
  await refold(
    tx,
    rows.map((row) => row.delivery_id),
  );
};

const TOOK_OVER = `and exists (select from executions t where t.id = x.parent_id and t.state = 'superseded')`;

const cancel =
  (of: 'first' | 'second', which = ''): Act =>
  async (tx, filled) => {
    const { rows } = await tx.query<{ delivery_id: string }>(
      `with gone as (
       update executions e set state = 'cancelled', reason = 'operation_cancelled', finished_at = clock_timestamp()
       from (select x.id from executions x where x.in_queue and x.operation_id = $1 and x.state in ('queued', 'scheduled')
         ${which} limit 10 for update skip locked) p
       where e.id = p.id returning e.delivery_id, e.parent_id, e.attempts
     ), restored as (
       insert into executions (tenant_id, delivery_id, endpoint_id, parent_id, state, due_at, give_up_at, attempts,
         may_have_arrived)
       select p.tenant_id, p.delivery_id, p.endpoint_id, p.id, 'scheduled', p.due_at, p.give_up_at, p.attempts,
         p.may_have_arrived
       from gone g join executions p on p.id = g.parent_id
       where g.attempts = 0 and p.state = 'superseded' and p.operation_id is null
     )
     select delivery_id from gone`,
      [filled[of]],
    );
    await refold(
      tx,
      rows.map((row) => row.delivery_id),
    );
  };

const resolve: Act = async (tx) => {
  const { rows } = await tx.query<{ delivery_id: string }>(
    `update executions e set state = 'scheduled', probe_at = null, reconcile_until = null, due_at = now()
     from (select x.id from executions x where x.state = 'unknown' limit 5 for update skip locked) p
     where e.id = p.id and e.state = 'unknown' returning e.delivery_id`,
  );
  await refold(
    tx,
    rows.map((row) => row.delivery_id),
  );
};

const putOff: Act = async (tx) => {
  await tx.query(
    `update executions e set put_off_from = coalesce(e.put_off_from, e.due_at), due_at = e.due_at + interval '1 millisecond',
       give_up_at = e.give_up_at + interval '5 milliseconds', put_off_ms = coalesce(e.put_off_ms, 0) + 5
     from (select x.id from executions x where x.in_queue and x.state in ('queued', 'scheduled') order by random() limit 10
       for update skip locked) p
     where e.id = p.id`,
  );
};

/** Keeps some items of an operation to the version that its plan shows, as one that is held is planned. */
const hold: Act = async (tx, { first, second }) => {
  await tx.query(
    `update executions e set worked_by = e.operation_id, give_up_at = e.give_up_at + interval '1 hour',
       target_version = coalesce(e.target_version, 1)
     from (select x.id from executions x where x.in_queue and x.operation_id = $1 and x.state in ('queued', 'scheduled')
       and x.target_version is null limit 10 for update skip locked) p
     where e.id = p.id and e.state in ('queued', 'scheduled')`,
    [randomInt(2) === 0 ? first : second],
  );
};

/** Accepts an event with one delivery, as the ingest of the version before does. */
export const accept: Act = async (tx, { tenantId, endpointId }) => {
  await tx.query(
    `with event as (
       insert into events (id, tenant_id, number, type, accepted_at, ingest_call_id, payload_bytes)
       values ($1, $2, 1000000 + (extract(epoch from clock_timestamp()) * 1000000)::bigint, 'test.new', now(), $2, 7)
     ), delivery as (
       insert into deliveries (id, tenant_id, event_id, endpoint_id, state, accepted_at, payload_bytes, original_version)
       values ($3, $2, $1, $4, 'pending', now(), 7, 1)
     )
     insert into executions (tenant_id, delivery_id, endpoint_id, state, due_at, give_up_at)
     values ($2, $3, $4, 'queued', now(), now() + interval '1 day')`,
    [randomUUID(), tenantId, randomUUID(), endpointId],
  );
};

const ACTS: Record<string, Act> = {
  'claim live': claim(() => LIVE_LANE),
  'claim of the first': claim(({ first }) => first),
  'claim of the second': claim(({ second }) => second),
  record,
  'record more': record,
  'record still more': record,
  freeze,
  acknowledge,
  cancel: cancel('second'),
  'cancel what took over': cancel('first', TOOK_OVER),
  resolve,
  'put off': putOff,
  hold,
  accept,
};

/** Folds deliveries once they are locked: what others have committed by then is seen by the next statement. */
async function refold(tx: Transaction, ids: string[]): Promise<void> {
  await tx.query('select from deliveries where id = any($1::uuid[]) order by id for no key update', [ids]);
  await tx.query(
    `update deliveries d set state = folded_state(d.id), state_changed_at = now()
     where d.id = any($1::uuid[]) and d.state <> folded_state(d.id)`,
    [ids],
  );
}

/** What hands have done: how often each act, and the error with which each hand ended. */
export interface Done {
  acts: Record<string, number>;
  errors: { act: string; code: string | undefined; message: string }[];
}

/**
 * Has some hands of the version before do one act after the other, at random, of all or of these, until each meets an error
 * or is stopped.
 */
export function startEarlierHands(
  pool: TestPool,
  filled: Filled,
  hands: number,
  names: readonly string[] = Object.keys(ACTS),
): { done: Promise<Done>; stop(): Promise<Done> } {
  const result: Done = { acts: {}, errors: [] };
  let stopped = false;
  const work = async () => {
    while (!stopped) {
      const name = names[randomInt(names.length)] ?? '';
      try {
        await withTransaction(pool, (tx) => ACTS[name]?.(tx, filled) ?? Promise.resolve(), {
          maxAttempts: 20,
        });
        result.acts[name] = (result.acts[name] ?? 0) + 1;
      } catch (error) {
        const { code, message } = error as { code?: string; message: string };
        result.errors.push({ act: name, code, message });
        return;
      }
    }
  };
  const done = Promise.all(Array.from({ length: hands }, work)).then(() => result);
  return {
    done,
    stop() {
      stopped = true;
      return done;
    },
  };
}

/** Tries each act once, and returns the code of its error. */
export async function tryEarlierActs(pool: TestPool, filled: Filled): Promise<Record<string, string>> {
  const codes: Record<string, string> = {};
  for (const [name, act] of Object.entries(ACTS))
    codes[name] = await withTransaction(pool, (tx) => act(tx, filled)).then(
      () => 'done',
      (error: { code?: string }) => error.code ?? 'no code',
    );
  return codes;
}
