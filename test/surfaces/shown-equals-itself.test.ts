import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { alias, type Id, showId } from '../../src/domain/tenancy/typed-id.ts';
import { freezeNext } from '../../src/operations/freeze-selection.ts';
import { planNext } from '../../src/operations/plans/make-plan.ts';
import { loadPlan } from '../../src/store/plans/plans.ts';
import { makeApiDocument } from '../support/api/api-document.ts';
import { requestMembers } from '../support/api/request-members.ts';
import { uuidIn } from '../support/api/retries.ts';
import { useApi } from '../support/api/use-api.ts';
import { seedFailedDeliveries } from '../support/engine/failed-deliveries.ts';
import { anyId } from '../support/store/any-id.ts';
import { closeOperation } from '../support/store/close-operation.ts';
import { ask, type RawAnswer, tokenOf } from '../support/surfaces/minka-client.ts';
import { createMinkaScene, type MinkaScene } from '../support/surfaces/minka-scene.ts';

/**
 * Every time, id and cursor that an answer of any surface shows, given back to every parameter that takes one, is equal to
 * its origin: a closed bound includes it, an open one excludes it; an id selects its own; behind a last page is
 * nothing. The tables below are compared with the OpenAPI document: a parameter that is missing here fails.
 */

type Clock = 'accepted' | 'attempted' | 'ended' | 'received' | 'audited';
type Bound = ['from' | 'to', 'closed' | 'open', Clock];

const JH = '/a/api/enterprise-event/v1';
const JH_BULK = `post ${JH}/{institutionId}/retries/subscriptions/{subscriptionId}`;
const JH_RAW = `post ${JH}/{institutionId}/retries/events`;
const JH_ADMIN = `post ${JH}/retries/events`;
const JH_SEARCH = `post ${JH}/{institutionId}/events/{subscriptionId}/search`;
const RESOLVE = 'post /api/v1/deliveries/resolve';

const both = (key: string, bound: Bound): [string, Bound][] => [
  [key, bound],
  [key.replace(' /', ' /2023-08-01/'), bound],
];

/** The side of each bound, whether its end is closed or open, and the time that it compares. */
const BOUNDS = new Map<string, Bound>([
  ['get /api/v1/deliveries from', ['from', 'closed', 'accepted']],
  ['get /api/v1/deliveries to', ['to', 'open', 'accepted']],
  ['get /api/v1/deliveries lastAttemptAfter', ['from', 'open', 'attempted']],
  ['get /api/v1/deliveries lastAttemptBefore', ['to', 'open', 'attempted']],
  ['post /api/v1/retries select.filter.from', ['from', 'closed', 'accepted']],
  ['post /api/v1/retries/plans select.filter.from', ['from', 'closed', 'accepted']],
  ['post /api/v1/retries select.filter.to', ['to', 'open', 'accepted']],
  ['post /api/v1/retries/plans select.filter.to', ['to', 'open', 'accepted']],
  ['post /api/v1/retries select.filter.lastAttemptAfter', ['from', 'open', 'attempted']],
  ['post /api/v1/retries/plans select.filter.lastAttemptAfter', ['from', 'open', 'attempted']],
  ['post /api/v1/retries select.filter.lastAttemptBefore', ['to', 'open', 'attempted']],
  ['post /api/v1/retries/plans select.filter.lastAttemptBefore', ['to', 'open', 'attempted']],
  ['get /v1/tenants/{tid}/deliveries from', ['from', 'closed', 'accepted']],
  ['get /v1/tenants/{tid}/deliveries to', ['to', 'open', 'accepted']],
  ['post /v1/replays time_range.since', ['from', 'closed', 'accepted']],
  ['post /v1/replays time_range.until', ['to', 'open', 'accepted']],
  ...[JH_BULK, JH_RAW, JH_ADMIN, JH_SEARCH].flatMap((route): [string, Bound][] => [
    [`${route} fromTime`, ['from', 'closed', 'accepted']],
    [`${route} toTime`, ['to', 'closed', 'accepted']],
  ]),
  ...both('get /executions from', ['from', 'closed', 'ended']),
  ...both('get /executions to', ['to', 'closed', 'ended']),
  ...both('get /polling/executions startDateTime', ['from', 'open', 'ended']),
  ...both('post /executions/retry condition.from', ['from', 'open', 'ended']),
  ...both('post /executions/retry condition.to', ['to', 'open', 'ended']),
  ['get /flowrelay/v1/receipts from', ['from', 'closed', 'received']],
  ['get /flowrelay/v1/receipts to', ['to', 'open', 'received']],
  ['get /api/v1/events from', ['from', 'closed', 'accepted']],
  ['get /api/v1/events to', ['to', 'open', 'accepted']],
  ['get /api/v1/audit from', ['from', 'closed', 'audited']],
  ['get /api/v1/audit to', ['to', 'open', 'audited']],
]);

/** Times that bound no rows of this scene: they are kept, or say when to begin. */
const KEPT = [
  'post /api/v1/keys expiresAt',
  'post /api/v1/events occurredAt',
  'post /api/v1/events [].occurredAt',
  'post /api/v1/retries options.notBefore',
  'post /api/v1/retries/plans options.notBefore',
  // Bounds of unknown deliveries: there are none here. The filter is the one of retries.
  `${RESOLVE} select.filter.from`,
  `${RESOLVE} select.filter.to`,
  `${RESOLVE} select.filter.lastAttemptAfter`,
  `${RESOLVE} select.filter.lastAttemptBefore`,
  // Numbers, and operations, which are no rows of this scene: `store/figures` compares them.
  ...['deliveries/count', 'failures/groups'].flatMap((path) =>
    ['from', 'to', 'lastAttemptAfter', 'lastAttemptBefore'].map((bound) => `get /api/v1/${path} ${bound}`),
  ),
  ...['stats/attempts', 'stats/events', 'retries'].flatMap((path) => [
    `get /api/v1/${path} from`,
    `get /api/v1/${path} to`,
  ]),
];

/** A row as the answers show it; ids are uuids. */
type Row = {
  delivery: Id<'delivery'>;
  event: Id<'event'>;
  execution: Id<'execution'>;
  number: string;
  batch: string;
} & Record<Clock, string>;

/** The id of a row that each parameter selects by, spelled as the surface shows it. */
const IDS = new Map<string, (row: Row) => string>([
  ['get /api/v1/deliveries endpointIds[]', () => showId('endpoint', scene.bridge.id)],
  ['get /api/v1/deliveries dispatchBatchIds[]', ({ batch }) => batch],
  ['post /api/v1/retries select.deliveryIds[]', ({ delivery }) => showId('delivery', delivery)],
  ['post /api/v1/retries/plans select.deliveryIds[]', ({ delivery }) => showId('delivery', delivery)],
  ['post /api/v1/retries select.eventIds[]', ({ event }) => showId('event', event)],
  ['post /api/v1/retries/plans select.eventIds[]', ({ event }) => showId('event', event)],
  ['post /api/v1/retries select.executionIds[]', ({ execution }) => showId('execution', execution)],
  ['post /api/v1/retries/plans select.executionIds[]', ({ execution }) => showId('execution', execution)],
  ['post /api/v1/retries select.filter.endpointIds[]', () => showId('endpoint', scene.bridge.id)],
  ['post /api/v1/retries/plans select.filter.endpointIds[]', () => showId('endpoint', scene.bridge.id)],
  ['post /api/v1/retries select.filter.dispatchBatchIds[]', ({ batch }) => batch],
  ['post /api/v1/retries/plans select.filter.dispatchBatchIds[]', ({ batch }) => batch],
  ['post /v1/tenants/{tid}/retry/batch delivery_ids[]', ({ delivery }) => showId('delivery', delivery)],
  ['get /v1/tenants/{tid}/deliveries destination_id', () => showId('endpoint', scene.bridge.id)],
  ['get /v1/tenants/{tid}/deliveries event_id', ({ event }) => showId('event', event)],
  ['post /executions/retry condition.executionIds[]', ({ execution }) => execution],
  ['post /2023-08-01/executions/retry condition.executionIds[]', ({ execution }) => execution],
  ['get /flowrelay/v1/receipts eventId', ({ event }) => showId('event', event)],
  ['get /api/v1/audit target[]', ({ delivery }) => showId('delivery', delivery)],
  ['get /api/v1/audit actor[]', actorOf],
  // The document shows no example that says that these are ids.
  [`${JH_BULK} eventId[]`, ({ event }) => event],
  [`${JH_BULK} eventNum[]`, ({ number }) => number],
  [`${JH_BULK} dispatchBatchId[]`, ({ batch }) => batch],
  [`${JH_RAW} eventId[]`, ({ event }) => event],
  [`${JH_RAW} eventNum[]`, ({ number }) => number],
  [`${JH_ADMIN} eventId[]`, ({ event }) => event],
  [`${JH_SEARCH} eventId[]`, ({ event }) => event],
  [`${JH_SEARCH} eventNum[]`, ({ number }) => number],
  [`${JH_SEARCH} dispatchBatchId[]`, ({ batch }) => batch],
]);

/** Ids that select nothing of a list: of an acknowledgement, of failures elsewhere, of the handoff that is meant. */
const OTHER_IDS = [
  'post /api/v1/acks endpointId',
  'post /api/v1/acks webhookId',
  'post /api/v1/acks [].endpointId',
  'post /api/v1/acks [].webhookId',
  'post /api/v1/retries select.failuresOf',
  'post /api/v1/retries/plans select.failuresOf',
  'post /api/v1/retries select.remainderOf',
  'post /api/v1/retries/plans select.remainderOf',
  'get /api/v1/deliveries/count dispatchBatchIds[]',
  'get /api/v1/failures/groups dispatchBatchIds[]',
  'get /api/v1/retries actor[]',
  'post /api/v1/retries select.outage',
  'post /api/v1/retries/plans select.outage',
  'get /api/v1/outages endpointIds[]',
  'put /api/v1/policy freezeWindows[].endpoints[]',
  'put /api/v1/platform/policy freezeWindows[].endpoints[]',
  `${RESOLVE} select.deliveryIds[]`,
  `${RESOLVE} select.executionIds[]`,
  `${RESOLVE} select.filter.dispatchBatchIds[]`,
  'post /flowrelay/v1/receipts/{id}/replay/preview endpointId',
];

const AGES = '0001-01-01T00:00:00Z';
const EVER = '9999-12-31T23:59:59.999Z';
/** Further members that a request must have, so that the parameter alone decides. */
const BESIDE: Record<string, object> = {
  'post /v1/replays time_range.since': { source_id: 'seed', time_range: { until: EVER } },
  'post /v1/replays time_range.until': { source_id: 'seed', time_range: { since: AGES } },
  [JH_BULK]: { bypassSubscriptionFilter: true },
  [RESOLVE]: { outcome: 'delivered', reason: 'found in their journal', confirm: true },
};

const api = useApi();
let scene: MinkaScene;
let rows: Row[];
let rejected: { requestId: Id<'delivery'>; received: string };
let shownTimes: string[];
let operationId: string;
/** One that has closed. */
let closedId: string;
let planId: string;
let importId: string;
/** Each row has an act of its own, by a key of its own. */
function actorOf({ delivery }: Pick<Row, 'delivery'>): string {
  return showId('key', anyId(delivery));
}

const members = requestMembers(makeApiDocument());

/** Microseconds behind the second: three times two rows within one millisecond, and others near them. */
const MICROS: Record<'accepted' | 'attempted' | 'ended', number[]> = {
  accepted: [100, 900, 1_000, 1_999, 2_000, 1_500_000],
  attempted: [1_999, 100, 2_000, 1_500_000, 900, 1_000],
  ended: [2_000, 1_999, 1_500_000, 100, 1_000, 900],
};
const SECOND = '2024-03-01T10:00:00Z';
/** How a version 7 uuid of that second begins. */
const callAt = Date.parse(SECOND).toString(16).padStart(12, '0').replace(/^.{8}/, '$&-');

beforeAll(async () => {
  scene = await createMinkaScene(api, { ...api.tenant, key: api.key });
  const { pool } = api.database;
  const seeded = [...(await seedFailedDeliveries(api, 3)), ...(await seedFailedDeliveries(api, 3))];
  for (const [index, { deliveryId, eventId, executionId }] of seeded.entries()) {
    const at = (clock: keyof typeof MICROS) =>
      `timestamptz '${SECOND}' + ${MICROS[clock][index]} * interval '1 microsecond'`;
    // The time in the id of the call that an event came in by is near the event's own.
    await pool.query(
      `update events set accepted_at = ${at('accepted')}, ingest_call_id = overlay(
         ingest_call_id::text placing '${callAt}' from 1 for ${callAt.length})::uuid
       where id = '${api.uuid(eventId)}'`,
    );
    await pool.query(
      `update deliveries set accepted_at = ${at('accepted')}, last_attempt_at = ${at('attempted')}
       where id = '${api.uuid(deliveryId)}'`,
    );
    await pool.query(
      `update executions set finished_at = ${at('ended')} where id = '${api.uuid(executionId)}'`,
    );
    await pool.query(
      `insert into audit_entries (tenant_id, at, actor, action, target_kind, target_id, number, prev, hash)
       values ($1, date_trunc('milliseconds', ${at('accepted')}), $2, 'delivery.resolved', 'delivery', $3, $4,
         sha256('x'), sha256('y'))`,
      [api.tenant.id, actorOf({ delivery: api.uuid(deliveryId) }), api.uuid(deliveryId), index + 1],
    );
    await pool.query(`insert into audit_checkpoints (tenant_id, number, hash) values ($1, $2, sha256('y'))`, [
      api.tenant.id,
      index + 1,
    ]);
  }
  await api.call('POST', '/api/v1/events', { body: { type: 'a' } });
  await pool.query(`update rejections set rejected_at = timestamptz '${SECOND}' + interval '1 millisecond'`);
  await furnish();
  const started = await call('post', '/api/v1/retries', { select: { filter: {} } });
  operationId = started.body.id;
  const planned = await call('post', '/api/v1/retries/plans', { select: { filter: {} } });
  planId = planned.body.id;
  await plannedIds(uuidIn('operation', planned.body.operationId));
  rows = await Promise.all(
    seeded.map(async ({ deliveryId, eventId, executionId }): Promise<Row> => {
      const { body: shown } = await api.call('GET', `/api/v1/deliveries/${deliveryId}`);
      const { body: event } = await api.call('GET', `/api/v1/events/${eventId}`);
      const file = await call('get', `/executions/${api.uuid(executionId)}`);
      return {
        delivery: api.uuid(deliveryId),
        event: api.uuid(eventId),
        execution: api.uuid(executionId),
        number: String(shown.event.number),
        batch: event.dispatchBatchId,
        accepted: shown.acceptedAt,
        received: shown.acceptedAt,
        audited: shown.acceptedAt,
        attempted: shown.lastAttemptAt,
        ended: file.body.processedAt,
      };
    }),
  );
  const receipts = await call('get', '/flowrelay/v1/receipts?request=rejected');
  rejected = { requestId: receipts.body.items[0].requestId, received: receipts.body.items[0].receivedAt };
  closedId = await closedWithAddenda();
  shownTimes = await timesShown();
});

/** At least two of everything that is listed. */
async function furnish(): Promise<void> {
  const made = async (path: string, body: object, key = api.key) => {
    const answer = await api.call('POST', path, { key, body });
    if (answer.status > 299) throw new Error(answer.text);
  };
  await api.newTenant();
  await api.call('PATCH', `/api/v1/endpoints/${scene.bridge.id}`, { body: { maxConcurrency: 9 } });
  for (const n of [1, 2]) {
    await made('/api/v1/endpoints', { url: 'https://hooks.example/other', eventTypes: ['other'] });
    const handle = `down-${n}`;
    await made('/api/v1/endpoints', { handle, url: 'https://hooks.example/other', eventTypes: ['other'] });
    await made(`/api/v1/endpoints/${handle}/disable`, {});
    await made('/api/v1/keys', { name: `key ${n}`, scopes: ['read:deliveries'] });
    await made('/api/v1/jwt-issuers', {
      name: 'idp',
      issuer: 'https://id.example/',
      audience: `audience ${n}`,
      algorithm: 'HS256',
      scopes: ['read:deliveries'],
    });
    await made('/api/v1/access-rules', { action: 'query-event' });
    // The installation vouches for keys whose other half nobody has.
    const signer = {
      tenantId: api.tenant.handle,
      handle: `s${n}`,
      public: Buffer.alloc(32, n).toString('base64'),
    };
    await made('/api/v1/signers', signer, api.adminKey);
    const replay = await call('post', '/v1/replays', {
      source_id: 'nothing',
      time_range: { since: AGES, until: EVER },
    });
    expect(replay.status).toBe(202);
    importId = await refusedImport();
  }
}

/** An import of lines that are all refused: it adds no row to the scene. */
async function refusedImport(): Promise<string> {
  const opened = await api.call('POST', '/api/v1/imports', {
    body: { from: 'ndjson', map: { theirs: scene.bridge.id } },
  });
  const { lines, close } = opened.body.links;
  await api.call('PUT', lines, { body: '{}\n{}\n', headers: { 'content-type': 'application/x-ndjson' } });
  await api.call('POST', close, { body: { lines: 2 } });
  return opened.body.id;
}

/** Calls any surface with the credentials of each; paths have their placeholders filled. */
function call(method: string, path: string, body?: object): Promise<RawAnswer> {
  const full = path
    .replace('{tid}', api.tenant.handle)
    .replace('{institutionId}', api.tenant.id)
    .replace('{subscriptionId}', scene.bridge.id)
    .replace('/api/v1/retries/{id}/report', `/api/v1/retries/${closedId}/report`)
    .replace('/api/v1/retries/plans/{id}', `/api/v1/retries/plans/${planId}`)
    .replace('/api/v1/retries/{id}', `/api/v1/retries/${operationId}`)
    .replace('/api/v1/imports/{id}', `/api/v1/imports/${importId}`)
    .replace('/api/v1/endpoints/{id}', `/api/v1/endpoints/${scene.bridge.id}`);
  const stedi = /^\/(2023-08-01\/)?(executions|polling)/.test(full);
  const ofPolicy = full.startsWith('/api/v1/policy') || full.startsWith('/api/v1/platform');
  const admin = ofPolicy || full === `${JH}/retries/events` || full.startsWith('/api/v1/tenants');
  const key = admin ? api.adminKey : api.key;
  return ask(api.url, method.toUpperCase(), full, {
    ...(body === undefined ? {} : { body }),
    headers: {
      authorization: stedi ? key : `Bearer ${key}`,
      ...(ofPolicy ? { 'redrive-tenant': api.tenant.handle } : {}),
      ...(method === 'post' ? { 'idempotency-key': randomUUID() } : {}),
    },
  });
}

/** A request with `value` at the place of a key of the tables. */
function request(key: string, value: string): [string, string, object?] {
  const [method = '', path = '', member = ''] = key.split(' ');
  if (method === 'get')
    return [method, `${path}?${new URLSearchParams({ [member.replace('[]', '')]: value, ...pageOf(path) })}`];
  const beside = BESIDE[key] ?? BESIDE[`${method} ${path}`] ?? {};
  const body = structuredClone(beside) as Record<string, unknown>;
  const names = member.replace('[]', '').split('.');
  let at = body;
  for (const name of names.slice(0, -1)) {
    at[name] ??= {};
    at = at[name] as Record<string, unknown>;
  }
  at[names.at(-1) ?? ''] = member.endsWith('[]') ? [value] : value;
  return [method, path, body];
}

/** Pages that hold every row. */
const pageOf = (path: string): Record<string, string> =>
  path.includes('executions') ? { pageSize: '100' } : { limit: '100' };

/** The rows that a request selects, by its answer or by the ledger of its operation. */
async function selected(key: string, value: string): Promise<string[]> {
  const [method, path, body] = request(key, value);
  const answer = await call(method, path, body);
  if (answer.status > 299) throw new Error(`${key} = ${value}: ${answer.status} ${answer.text}`);
  if (isList(key)) return listed(answer.body).flatMap(rowOf);
  const { rows: operations } = await api.database.pool.query(
    'select id from operations order by id desc limit 1',
  );
  return frozen(operations[0].id);
}

const isList = (key: string) => key.startsWith('get') || key.startsWith(JH_SEARCH);

/** The deliveries that an operation takes up; afterwards it is as if it had never been. */
async function frozen(id: Id<'operation'>): Promise<string[]> {
  const { pool } = api.database;
  if (await loadPlan(pool, id)) return plannedIds(id);
  while (await freezeNext(pool, id));
  const { rows: taken } = await pool.query(
    `select delivery_id from executions where operation_id = $1 union select delivery_id from exclusions where operation_id = $1`,
    [id],
  );
  await pool.query('delete from executions where operation_id = $1', [id]);
  await pool.query('delete from exclusions where operation_id = $1', [id]);
  return taken.map((row) => row.delivery_id).sort();
}

/** Closes an operation of nothing, and adds two addenda to its report. */
async function closedWithAddenda(): Promise<string> {
  const { pool } = api.database;
  const { body } = await call('post', '/api/v1/retries', { select: { deliveryIds: [] } });
  await closeOperation(pool, api.uuid(body.id));
  await pool.query(
    `insert into report_addenda (operation_id, number, signing_key_id, digest, jws, changes)
     select operation_id, n, signing_key_id, digest, jws, 1 from closure_reports, generate_series(1, 2) n
     where operation_id = $1`,
    [api.uuid(body.id)],
  );
  return body.id;
}

/** Makes a plan as its workflow would; the deliveries in it. */
async function plannedIds(id: Id<'operation'>): Promise<string[]> {
  const { pool } = api.database;
  while (await planNext(pool, id));
  const { rows: found } = await pool.query(
    'select unnest(ids) as id from plan_pages where operation_id = $1 order by 1',
    [id],
  );
  return found.map((row) => row.id);
}

// biome-ignore lint/suspicious/noExplicitAny: whatever a surface calls its items
function listed(body: any): any[] {
  return Object.values(body).find(Array.isArray) ?? [];
}

// biome-ignore lint/suspicious/noExplicitAny: as above
function rowOf(item: any): string[] {
  if (item.requestId) return [item.requestId];
  const text = JSON.stringify(item.receiptId && item.eventId ? { id: item.eventId } : item);
  const of = ({ delivery, event, execution }: Row) =>
    [
      delivery,
      showId('delivery', delivery),
      event,
      showId('event', event),
      execution,
      showId('execution', execution),
    ].some((id) => text.includes(id));
  return rows.filter(of).map(({ delivery }) => delivery);
}

/** Every time in the answers of every list and of its entries. */
async function timesShown(): Promise<string[]> {
  const first = rows[0] as Row;
  const paths = [
    ...new Set(CURSORS.filter((key) => key.startsWith('get')).map((key) => key.split(' ')[1] ?? '')),
    `/api/v1/deliveries/${first.delivery}`,
    `/api/v1/events/${first.event}`,
    `/v1/tenants/{tid}/deliveries/${first.delivery}`,
    `/executions/${first.execution}`,
    `/executions/${first.execution}/faults`,
    `/flowrelay/v1/receipts/${showId('receipt', alias('receipt', first.event))}`,
    `${JH}/{institutionId}/events/{subscriptionId}`,
  ].filter((path) => !path.includes('polling'));
  const answers = await Promise.all(paths.map((path) => call('get', path)));
  for (const [index, { status, text }] of answers.entries())
    if (status !== 200) throw new Error(`${paths[index]}: ${status} ${text}`);
  const found = answers.flatMap(({ text }) => text.match(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g) ?? []);
  return [...new Set(found)].sort();
}

/** Lists that are read page by page. */
const CURSORS = members.filter(({ name }) => name === 'cursor' || name === 'pageToken').map(({ key }) => key);

describe('a time that is shown', () => {
  test('has a place in the table for each parameter that takes one', () => {
    const takesTime = members.filter(({ format }) => format === 'date-time').map(({ key }) => key);
    expect([...BOUNDS.keys(), ...KEPT].sort()).toEqual(takesTime.sort());
    expect(new Set(rows.map(({ accepted }) => accepted)).size).toBe(4);
    expect(shownTimes.length).toBeGreaterThan(8);
  });

  test.each([...BOUNDS])('given to %s is %j', async (key, [side, ends, clock]) => {
    const inside = (row: string, time: string) =>
      (ends === 'closed' && row === time) || (side === 'from' ? row > time : row < time);
    const own = [...new Set(rows.map((row) => row[clock]))];
    // Requests that start an operation, and the surface with a quota, are given the times of the rows alone.
    const times = isList(key) && !key.includes('/v1/tenants/') ? [...new Set([...own, ...shownTimes])] : own;
    const minuteAgo = new Date(Date.now() - 60_000).toISOString();
    for (const time of times.filter((each) => !key.includes('startDateTime') || each < minuteAgo)) {
      const expected = rows.filter((row) => inside(row[clock], time)).map(({ delivery }) => delivery);
      if (clock === 'received' && inside(rejected.received, time)) expected.push(rejected.requestId);
      expect([time, (await selected(key, time)).sort()]).toEqual([time, expected.sort()]);
    }
  });

  test.each(['', '.$eq', '.$ne', '.$gt', '.$gte', '.$lt', '.$lte', '.$in', '.$nin'])(
    'is compared by meta.moment%s of Minka as what is shown',
    async (operator) => {
      const holds = (row: string, time: string): boolean | undefined =>
        ({
          '': row === time,
          '.$eq': row === time,
          '.$ne': row !== time,
          '.$gt': row > time,
          '.$gte': row >= time,
          '.$lt': row < time,
          '.$lte': row <= time,
          '.$in': row === time,
          '.$nin': row !== time,
        })[operator];
      for (const time of new Set([...rows.map(({ accepted }) => accepted), ...shownTimes]))
        expect([time, await ofBridge({ [`meta.moment${operator}`]: time })]).toEqual([
          time,
          rows
            .filter(({ accepted }) => holds(accepted, time))
            .map(({ delivery }) => delivery)
            .sort(),
        ]);
    },
  );

  test('is kept as it was given, to the millisecond', async () => {
    const key = await call('post', '/api/v1/keys', {
      name: 'kept',
      scopes: ['read:deliveries'],
      expiresAt: '9999-12-31T23:59:59.9999999-06:00',
    });
    expect(key.body.expiresAt).toBe('9999-12-31T23:59:59.999Z');
    for (const [given, kept] of [
      ['2024-03-01T10:00:00.0019999+16:00', '2024-02-29T18:00:00.001Z'],
      ['0001-01-01t00:00:00z', '0001-01-01T00:00:00.000Z'],
    ]) {
      const body = { type: 'other', occurredAt: given, payload: 1 };
      const accepted = await call('post', '/api/v1/events', body);
      const event = await call('get', `/api/v1/events/${accepted.body.eventId}`);
      expect(event.body.occurredAt).toBe(kept);
      await api.database.pool.query('delete from deliveries where event_id = $1', [
        api.uuid(accepted.body.eventId),
      ]);
      await api.database.pool.query('delete from events where id = $1', [api.uuid(accepted.body.eventId)]);
    }
  });
});

/** As clients write them, and as those who mean no good do. */
const TAKEN = [
  '2024-01-01T00:00:00+16:00',
  '2024-01-01T00:00:00-23:59',
  '0001-01-01T00:00:00Z',
  '0001-01-01T00:00:00+23:59',
  '1969-12-31t23:59:59z',
  '2016-12-31T23:59:60Z',
  '9999-12-31T23:59:59Z',
  '9999-12-31T23:59:59.9999999-23:59',
];
const REFUSED = [
  '0000-01-01T00:00:00Z',
  '10000-01-01T00:00:00Z',
  '2024-01-01T00:00:00',
  '-infinity',
  'now',
  '\0',
  '',
];

describe.each([...BOUNDS.keys(), ...KEPT])('a time given to %s', (key) => {
  test('is taken with any offset, of any year, and an operation that it starts selects to its end', async () => {
    for (const time of TAKEN) {
      const [method, path, body] = request(key, time);
      const answer = await call(method, path, body);
      // A poll begins in the past; requests that keep a time lack other members here.
      const may = KEPT.includes(key) || key.includes('startDateTime') ? [200, 400] : [200, 201, 202, 429];
      expect([time, may.includes(answer.status), answer.text]).toEqual([time, true, answer.text]);
      if (answer.status > 299 || isList(key)) continue;
      const { rows: operations } = await api.database.pool.query(
        'select id from operations order by id desc limit 1',
      );
      await frozen(operations[0].id);
    }
  });

  test('is refused where it is none, and never by Postgres', async () => {
    for (const time of REFUSED) {
      const { status } = await call(...request(key, time));
      expect([time, status >= 400 && status < 500]).toEqual([time, true]);
    }
  });
});

/** Deliveries of the bridge that a query of Minka finds. */
async function ofBridge(query: Record<string, string>): Promise<string[]> {
  const search = new URLSearchParams({ ...query, 'page.limit': '100' });
  const answer = await ask(api.url, 'GET', `/v2/bridges/${scene.bridge.handle}/events?${search}`, {
    headers: { authorization: `Bearer ${tokenOf(scene.signer)}` },
  });
  expect(answer.status).toBe(200);
  return answer.body.data.map(({ data }: { data: { handle: string } }) => data.handle).sort();
}

describe('an id that is shown', () => {
  test('has a place in the table for each parameter that takes one', () => {
    const looksLikeId = ({ example }: { example?: unknown }) =>
      typeof example === 'string' && /^[a-z]{2,4}_01k9|^[0-9a-f]{8}-/.test(example);
    const known = [...IDS.keys(), ...OTHER_IDS];
    expect(
      members
        .filter(looksLikeId)
        .map(({ key }) => key)
        .filter((key) => !known.includes(key)),
    ).toEqual([]);
    expect(known.filter((key) => !members.some((member) => member.key === key))).toEqual([]);
  });

  test.each([...IDS])('given to %s selects its own, and nothing else', async (key, idOf) => {
    for (const row of rows.slice(0, 4)) {
      const id = idOf(row);
      const expected = rows.filter((other) => idOf(other) === id).map(({ delivery }) => delivery);
      expect([id, (await selected(key, id)).sort()]).toEqual([id, expected.sort()]);
    }
  });

  test.each([
    ['data.handle', ({ delivery }: Row) => delivery],
    ['data.linked', ({ event }: Row) => event],
  ] as const)('given to %s of Minka selects its own', async (path, idOf) => {
    for (const row of rows) {
      expect(await ofBridge({ [path]: idOf(row) })).toEqual([row.delivery]);
      expect(await ofBridge({ [`${path}.$ne`]: idOf(row) })).toHaveLength(rows.length - 1);
    }
  });

  test('of a rejected request finds its receipt', async () => {
    const found = await call('get', `/flowrelay/v1/receipts?requestId=${rejected.requestId}`);
    expect(found.body.items).toHaveLength(1);
  });
});

/** A page but for what time alone changes: that nobody has worked on an operation for long. */
function whateverTheTime({ text }: { text: string }): string {
  return text.replaceAll('"stalled":true', '"stalled":false');
}

describe('a cursor', () => {
  const sizeOf = (key: string) => (key.endsWith('pageToken') ? 'pageSize' : 'limit');
  const page = (key: string, cursor?: string) => {
    const [method = '', path = '', name = ''] = key.split(' ');
    const asked = { [sizeOf(key)]: '1', ...(cursor === undefined ? {} : { [name]: cursor }) };
    if (method === 'post') return call(method, path, { ...asked, [sizeOf(key)]: 1 });
    const start = path.includes('polling') && cursor === undefined ? { startDateTime: AGES } : {};
    return call(method, `${path}?${new URLSearchParams({ ...asked, ...start })}`);
  };
  // biome-ignore lint/suspicious/noExplicitAny: as above
  const nextOf = ({ body }: { body: any }): string | undefined =>
    body.nextCursor ?? body.next_cursor ?? body.nextPageToken ?? undefined;
  const given = new Map<string, string>();

  beforeAll(async () => {
    const { pool } = api.database;
    while (await freezeNext(pool, api.uuid(operationId)));
  });

  test.each(CURSORS)(
    'of %s leads once through everything, and behind the last page to nothing',
    async (key) => {
      const seen: string[] = [];
      let answer = await page(key);
      for (let pages = 1; ; pages += 1) {
        expect([answer.status, answer.text]).toEqual([200, answer.text]);
        seen.push(...listed(answer.body).map((item) => JSON.stringify(item)));
        const cursor = nextOf(answer);
        if (cursor === undefined) break;
        given.set(key, cursor);
        const next = await page(key, cursor);
        expect(whateverTheTime(await page(key, cursor))).toBe(whateverTheTime(next));
        // Polling goes on for ever: rows behind the last page may still come.
        if (key.includes('polling') && listed(next.body).length === 0) {
          expect(nextOf(next)).toBe(cursor);
          break;
        }
        answer = next;
        if (pages > 1_000) throw new Error(`${key} does not end`);
      }
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen.length).toBeGreaterThan(1);
    },
  );

  test('of one list is none of another', async () => {
    for (const [from, cursor] of given)
      for (const key of CURSORS) {
        const { status } = await page(key, cursor);
        const sameList = key.replace('/2023-08-01', '') === from.replace('/2023-08-01', '');
        expect([key, from, sameList ? status === 200 : [400, 422].includes(status)]).toEqual([
          key,
          from,
          true,
        ]);
      }
  });

  test.each([
    '',
    'x',
    'WyI',
    '%',
    '\0',
    Buffer.from('["a","-1","x"]').toString('base64url'),
    'A'.repeat(2_000),
  ])('that is forged (%#) is refused, or is none', async (cursor) => {
    for (const key of CURSORS)
      expect([key, [200, 400, 422].includes((await page(key, cursor)).status)]).toEqual([key, true]);
  });
});
