import { randomUUID } from 'node:crypto';
import type { EndpointState } from '../../../src/domain/endpoints/endpoint-state.ts';
import type { Holder, RetryFacts } from '../../../src/domain/operations/retry-fate.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { type Pool, withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE } from '../../../src/store/db/queryable.ts';
import { erasePayload } from '../../../src/store/settling/payload-retention.ts';
import { uuidIn } from '../api/retries.ts';
import type { Scene } from '../engine/recovery-scene.ts';
import type { TestEngine } from '../engine/test-engine.ts';
import { eventually } from '../eventually.ts';
import { ok, status } from '../receivers/receiver-behaviour.ts';
import { NO_ID } from '../store/any-id.ts';

/** How a delivery stands when its retry is asked for; `gone` where its payload is. */
export const SITUATIONS = [
  'failed',
  'failed, payload gone',
  'failed, of an event that repeats another',
  'cancelled',
  'never sent',
  'delivered',
  'repeat of another',
  'sent again by its sender',
  'automatic retry waits',
  'automatic retry waits, payload gone',
  'held by a running operation',
  'held by a paused operation',
  'held by a halted operation',
  'held by a canary',
  'on the wire',
  'unknown, under hold',
  'unknown, under probe',
] as const;

/** One of {@link SITUATIONS}. */
export type Situation = (typeof SITUATIONS)[number];

/** How an endpoint has come not to take anything, or takes it. */
export const ENDPOINTS = ['enabled', 'disabled by an operator', 'disabled by a 410', 'deleted'] as const;

/** One of {@link ENDPOINTS}. */
export type EndpointSituation = (typeof ENDPOINTS)[number];

const operation = (more: Partial<Extract<Holder, { by: 'operation' }>> = {}): Holder => ({
  by: 'operation',
  control: 'run',
  state: 'running',
  canaryHeld: false,
  ...more,
});
const LANE: Holder = { by: 'live_lane' };
const HOLDERS: Partial<Record<Situation, Holder>> = {
  'automatic retry waits': LANE,
  'automatic retry waits, payload gone': LANE,
  'held by a running operation': operation(),
  'held by a paused operation': operation({ control: 'pause', state: 'paused' }),
  'held by a halted operation': operation({ control: 'pause', state: 'halted' }),
  'held by a canary': operation({ canaryHeld: true }),
};
const DELIVERY: Partial<Record<Situation, RetryFacts['delivery']>> = {
  cancelled: 'cancelled',
  'never sent': 'ignored',
  'repeat of another': 'ignored',
  delivered: 'delivered',
  'unknown, under hold': 'unknown',
  'unknown, under probe': 'unknown',
};
const STATES: Record<EndpointSituation, EndpointState> = {
  enabled: 'enabled',
  'disabled by an operator': 'disabled',
  'disabled by a 410': 'disabled',
  deleted: 'deleted',
};

/** The facts that a situation stands for. */
export function factsOf(situation: Situation, endpoint: EndpointSituation): RetryFacts {
  const holder = HOLDERS[situation];
  const open: RetryFacts['open'] = holder
    ? { state: 'scheduled', holder }
    : situation === 'on the wire'
      ? { state: 'sending' }
      : situation.startsWith('unknown')
        ? { state: 'unknown' }
        : undefined;
  return {
    delivery: DELIVERY[situation] ?? 'failed',
    endpoint: STATES[endpoint],
    payloadKept: !situation.endsWith('gone') && situation !== 'repeat of another',
    suppressedDuplicate: situation === 'repeat of another',
    resent: situation === 'sent again by its sender',
    ...(open ? { open } : {}),
  };
}

/** Deliveries (uuids) by how they stand. */
export type Furnished = Record<Situation, string[]>;

const LATER = { notBefore: () => new Date(Date.now() + 3_600_000).toISOString() };

/** Brings so many deliveries into each situation, at the one endpoint of the scene, which then comes to its own. */
export async function furnishSituations(
  engine: TestEngine,
  it: Scene,
  each: number,
  endpoint: EndpointSituation,
): Promise<Furnished> {
  const { pool } = engine.database;
  const never = await whileDisabled(engine, it, 2 * each);
  const repeats = await repeated(engine, it, each);
  const again = await sentAgain(engine, it, each);
  const asNew = await repeatedAsNew(engine, it, each);
  const rest = SITUATIONS.filter(
    (situation) =>
      ![
        'failed, of an event that repeats another',
        'cancelled',
        'never sent',
        'repeat of another',
        'sent again by its sender',
      ].includes(situation),
  );
  await it.seed(rest.length * each);
  const seeded = await it.ids(`state = 'failed' and resent_by is null and replay_of is null`);
  const made = {
    ...Object.fromEntries(rest.map((situation, n) => [situation, seeded.slice(n * each, (n + 1) * each)])),
    'never sent': never.slice(0, each),
    cancelled: never.slice(each),
    'repeat of another': repeats,
    'sent again by its sender': again,
    'failed, of an event that repeats another': asNew,
  } as Furnished;

  const holding = (situation: Situation, options: object = {}) =>
    it.retries.start({
      select: { deliveryIds: made[situation] },
      options: { notBefore: LATER.notBefore(), ...options },
    });
  const cancelling = await holding('cancelled');
  await it.retries.control(cancelling.id, 'cancel');
  await it.retries.ended(cancelling.id);
  await it.retries.ended((await it.retries.start({ select: { deliveryIds: made.delivered } })).id);
  await holding('held by a running operation');
  await it.retries.control((await holding('held by a paused operation')).id, 'pause');
  const halted = uuidIn('operation', (await holding('held by a halted operation')).id);
  await pool.query(
    `update operations set control = 'pause', state = 'halted', halt = '{"why": "asked"}' where id = $1`,
    [halted],
  );
  const canary = await holding('held by a canary', { canary: { count: 1, maxFailurePercent: 0 } });
  await pool.query(
    `insert into canaries (operation_id, endpoint_id, allowed, state) values ($1, $2, 1, 'held')
     on conflict (operation_id, endpoint_id) do update set state = 'held'`,
    [uuidIn('operation', canary.id), uuidIn('endpoint', it.endpoints[0].id)],
  );
  await waits(pool, [...made['automatic retry waits'], ...made['automatic retry waits, payload gone']]);
  await onTheWire(pool, made['on the wire']);
  await unknown(pool, made['unknown, under hold'], 'hold');
  await unknown(pool, made['unknown, under probe'], 'probe');
  for (const situation of SITUATIONS.filter((name) => name.endsWith('payload gone')))
    for (const id of made[situation]) await erase(pool, it, id);
  await close(engine, it, endpoint);
  return made;
}

/** Accepts events while the endpoint is disabled; their deliveries. */
async function whileDisabled(engine: TestEngine, it: Scene, count: number): Promise<string[]> {
  const { key } = it.tenant;
  const path = `/api/v1/endpoints/${it.endpoints[0].id}`;
  await engine.client.expect(200, 'POST', `${path}/disable`, { key });
  const body = Array.from({ length: count }, (_, n) => ({
    type: 'never.sent',
    source: 'matrix',
    payload: n,
  }));
  await engine.client.expect(202, 'POST', '/api/v1/events', { key, body });
  await engine.client.expect(200, 'POST', `${path}/enable`, { key });
  return it.ids(`state = 'ignored'`);
}

/** Delivers events, and sends each again under its own id; the deliveries of the repeats. */
async function repeated(engine: TestEngine, it: Scene, count: number): Promise<string[]> {
  const { key } = it.tenant;
  const body = Array.from({ length: count }, (_, n) => ({
    id: `repeated-${n}`,
    type: 'repeated',
    payload: n,
  }));
  await engine.client.expect(202, 'POST', '/api/v1/events', { key, body });
  await eventually('the first ones are delivered', async () => {
    return (await it.ids(`state = 'delivered'`)).length === count;
  });
  const again = await engine.client.expect(202, 'POST', '/api/v1/events', { key, body });
  const events = again.body.map(({ eventId }: { eventId: string }) => uuidIn('event', eventId));
  return it.ids(`event_id in (${events.map((id: string) => `'${id}'`).join(', ')})`);
}

/** Lets events fail, and sends each again with another payload; the deliveries of the first ones. */
async function sentAgain(engine: TestEngine, it: Scene, count: number): Promise<string[]> {
  const { key } = it.tenant;
  const body = (payload: number) =>
    Array.from({ length: count }, (_, n) => ({ id: `again-${n}`, type: 'again', payload }));
  it.receivers[0]?.switchTo(status(404));
  await engine.client.expect(202, 'POST', '/api/v1/events', { key, body: body(1) });
  await eventually('the first ones have failed', async () => {
    return (await it.ids(`state = 'failed'`)).length === count;
  });
  it.receivers[0]?.switchTo(ok);
  await engine.client.expect(202, 'POST', '/api/v1/events', { key, body: body(2) });
  const first = await it.ids('resent_by is not null');
  await eventually('the later ones are delivered', async () => {
    const later = `id in (select d.resent_by from deliveries d where d.tenant_id = deliveries.tenant_id)`;
    return (await it.ids(`state = 'delivered' and ${later}`)).length === count;
  });
  return first;
}

/** Delivers events, and lets each fail as the new one that Stedi's surface makes of it; the deliveries of the new ones. */
async function repeatedAsNew(engine: TestEngine, it: Scene, count: number): Promise<string[]> {
  const { key } = it.tenant;
  const body = Array.from({ length: count }, (_, n) => ({ type: 'as.new', source: 'as.new', payload: n }));
  const accepted = await engine.client.expect(202, 'POST', '/api/v1/events', { key, body });
  const events: string[] = accepted.body.map(({ eventId }: { eventId: string }) => uuidIn('event', eventId));
  const of = `event_id in (${events.map((id) => `'${id}'`).join(', ')})`;
  await eventually('the first ones are delivered', async () => {
    return (await it.ids(`state = 'delivered' and ${of}`)).length === count;
  });
  it.receivers[0]?.switchTo(status(404));
  for (const id of events)
    await engine.client.expect(200, 'POST', `/events/${id}/retry`, { headers: { authorization: key } });
  const failed = `state = 'failed' and replay_of is not null`;
  await eventually('the new ones have failed', async () => (await it.ids(failed)).length === count);
  it.receivers[0]?.switchTo(ok);
  return it.ids(failed);
}

/** A child of each one's only execution, as the sender would have left it. */
const CHILD = `insert into executions (tenant_id, delivery_id, endpoint_id, parent_id, worked_by, due_at, give_up_at, state`;
const OF = `select tenant_id, delivery_id, endpoint_id, id, '${LIVE_LANE}'::uuid, now() + interval '1 hour', now() + interval '1 day'`;

async function waits(pool: Pool, ids: string[]): Promise<void> {
  await pool.query(`${CHILD}) ${OF}, 'scheduled' from executions where delivery_id = any($1::uuid[])`, [ids]);
}

async function onTheWire(pool: Pool, ids: string[]): Promise<void> {
  const token = randomUUID();
  await pool.query(
    `with sent as (
      ${CHILD}, lease_token) ${OF}, 'sending', $2::uuid from executions where delivery_id = any($1::uuid[]) returning id
    )
    insert into claims (token, worked_by, lease_until, execution_ids)
    select $2, '${LIVE_LANE}', now() + interval '1 hour', array_agg(id) from sent`,
    [ids, token],
  );
}

async function unknown(pool: Pool, ids: string[], policy: 'hold' | 'probe'): Promise<void> {
  await pool.query(
    `with made as (
      ${CHILD}, attempts, may_have_arrived, reconcile_until, on_ambiguous, probe_at)
      ${OF}, 'unknown', 1, true, now() + interval '1 hour', $2, case $2 when 'probe' then now() + interval '1 hour' end
      from executions where delivery_id = any($1::uuid[]) returning id, tenant_id
    ), attempt as (
      insert into attempts (execution_id, number, tenant_id, endpoint_version, started_at, duration_ms, outcome, fault_code)
      select id, 1, tenant_id, 1, now(), 5, 'ambiguous', 'timeout' from made
    )
    update deliveries set state = 'unknown', state_changed_at = now(), fault_code = 'timeout', http_status = null,
      attempts = attempts + 1, last_attempt_at = now()
    where id = any($1::uuid[])`,
    [ids, policy],
  );
}

async function erase(pool: Pool, it: Scene, deliveryId: string): Promise<void> {
  const { rows } = await pool.query<{ event_id: Id<'event'> }>(
    'select event_id from deliveries where id = $1',
    [deliveryId],
  );
  await withTransaction(pool, (db) =>
    erasePayload(db, uuidIn('tenant', it.tenant.id), rows[0]?.event_id ?? NO_ID),
  );
}

async function close(engine: TestEngine, it: Scene, endpoint: EndpointSituation): Promise<void> {
  const { key } = it.tenant;
  const path = `/api/v1/endpoints/${it.endpoints[0].id}`;
  if (endpoint === 'disabled by an operator')
    await engine.client.expect(200, 'POST', `${path}/disable`, { key });
  if (endpoint === 'deleted') await engine.client.expect(204, 'DELETE', path, { key });
  if (endpoint !== 'disabled by a 410') return;
  it.receivers[0]?.switchTo(status(410));
  await engine.client.expect(202, 'POST', '/api/v1/events', { key, body: { type: 'last', payload: 1 } });
  await eventually('the 410 has disabled it', async () => {
    return (await engine.client.expect(200, 'GET', path, { key })).body.state === 'disabled';
  });
}

/**
 * Lets everything go that goes by itself: waiting deliveries are due, and requests on the wire are given up and tried
 * again. Ends when endpoints that take something have nothing left but the items of stopped operations.
 */
export async function settle(engine: TestEngine, tenantIds: string[]): Promise<void> {
  const { pool } = engine.database;
  await pool.query(
    `update claims set lease_until = now() - interval '1 second' where lease_until > now() + interval '50 minutes'`,
  );
  await pool.query(
    `update executions e set due_at = now() where tenant_id = any($1::uuid[]) and state in ('queued', 'scheduled')
      and due_at > now()`,
    [tenantIds],
  );
  let left: unknown[] = [];
  await eventually(
    'all that goes by itself has gone',
    async () => {
      const { rows } = await pool.query(
        `select e.state, o.control, o.state as held_in, n.state as endpoint from executions e
         join endpoints n on n.id = e.endpoint_id and n.state = 'enabled'
         left join operations o on o.id = e.operation_id
         left join canaries c on c.operation_id = o.id and c.endpoint_id = e.endpoint_id
         where e.tenant_id = any($1::uuid[]) and e.in_queue
           and o.control is distinct from 'pause' and c.state is distinct from 'held'`,
        [tenantIds],
      );
      left = rows;
      return rows.length === 0;
    },
    { withinMs: 30_000, otherwise: () => JSON.stringify(left.slice(0, 5)) },
  );
}
