import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { FILE_FAULT_CODES } from '../../../src/surfaces/stedi/file-fault.ts';
import { signAck } from '../acknowledge.ts';
import { signed } from '../minka-client.ts';
import { uuidIn } from '../retries.ts';
import { anyTime, listOf, optional, range, textAmong } from './awkward.ts';
import { filterBody, type InWorld, nth, place, retryBody, selectBody } from './retry-bodies.ts';
import { BATCHES, EXTERNAL_IDS, KEYS, SOURCES, TYPES, type World } from './world.ts';

/** A request as it is sent; the path of its route with the parameters filled in. */
export type Asked = {
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** Of the tenant where left out; the installation's; or none, where a signature stands for it. */
  credential?: 'installation' | 'signature' | 'bare';
  /** Told of an answer that accepts it. */
  // biome-ignore lint/suspicious/noExplicitAny: bodies are as their surfaces make them
  accepted?(body: any): void;
};

/** Valid requests of a route, and how many of them are sent. */
type Entry = { requests: fc.Arbitrary<InWorld<Asked | Promise<Asked>>>; runs: number };

type Params = Record<string, string>;

/** A path with its parameters. */
function filled(path: string, params: Params): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
}

/** A key now and then, some of them used twice. */
const idempotencyKey = fc.oneof(fc.constant(undefined), fc.uuid(), fc.constantFrom('again-1', 'again-2'));
const withKey = (key: string | undefined): Pick<Asked, 'headers'> =>
  key === undefined ? {} : { headers: { 'idempotency-key': key } };

const present = (members: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));

function entry<T>(
  runs: number,
  values: fc.Arbitrary<T>,
  ask: (value: T, world: World) => Asked | Promise<Asked>,
): Entry {
  return { runs, requests: values.map((value) => (world) => ask(value, world)) };
}

const confirm = { confirm: true, reason: 'looked' };
const outcome = fc.constantFrom('delivered', 'failed', 'retry');

const newEvent = fc.record(
  {
    id: textAmong(...EXTERNAL_IDS),
    type: textAmong(...TYPES),
    source: textAmong(...SOURCES),
    key: textAmong(...KEYS),
    occurredAt: anyTime,
    ingestionBatchId: textAmong(...BATCHES),
    payload: fc.oneof(
      fc.record({ n: fc.integer() }),
      fc.jsonValue({ maxDepth: 3 }),
      fc.constantFrom(null, '', [], 'x'.repeat(50_000)),
    ),
  },
  { requiredKeys: ['type', 'payload'] },
);

const RETRIES = '/api/v1/retries';

type Send = (asked: Asked) => Promise<boolean>;

/** An operation of before; or one of its own that lies in the future, and that was paused where that is asked for. */
async function steered(
  n: number,
  world: World,
  send: Send,
  { paused }: { paused: boolean },
): Promise<string> {
  if (n % 3 === 0 && world.operations.length > 0) return nth(world.operations, n);
  let own = 'op_01k9z3e5hbe7r9qk2m4n6p8r0s';
  await send({
    path: RETRIES,
    body: {
      mode: 'replay',
      select: { filter: { state: ['failed', 'delivered'] } },
      options: { notBefore: new Date(Date.now() + 3_600_000).toISOString() },
    },
    ...withKey(randomUUID()),
    accepted: ({ id }) => {
      own = id;
    },
  });
  if (paused) await send({ path: `${RETRIES}/${own}/pause` });
  return own;
}

/** Steers operations. */
function controls(send: Send): Record<string, Entry> {
  const control = (verb: string, runs: number, paused = false): Record<string, Entry> => ({
    [`${RETRIES}/{id}/${verb}`]: entry(runs, place, async (n, world) => ({
      path: `${RETRIES}/${await steered(n, world, send, { paused })}/${verb}`,
    })),
  });
  return {
    ...control('pause', 8),
    ...control('resume', 8, true),
    ...control('cancel', 8),
    [`${RETRIES}/{id}/rate`]: entry(
      8,
      fc.tuple(place, fc.constantFrom(null, 0.01, 30, 100_000), fc.boolean()),
      async ([n, limit, earlier], world) => ({
        path: `${RETRIES}/${await steered(n, world, send, { paused: false })}/rate`,
        body: { [earlier ? 'perSecond' : 'ratePerSecond']: limit },
      }),
    ),
  };
}

function ofEndpoint(verb: string, runs: number): Record<string, Entry> {
  const path = `/api/v1/endpoints/{id}/${verb}`;
  return {
    [path]: entry(runs, place, (n, { endpoints }) => ({ path: filled(path, { id: nth(endpoints, n).id }) })),
  };
}

const NATIVE: Record<string, Entry> = {
  '/api/v1/events': entry(
    12,
    fc.oneof(newEvent, fc.array(newEvent, { minLength: 1, maxLength: 20 })),
    (body) => ({
      path: '/api/v1/events',
      body,
    }),
  ),
  [RETRIES]: entry(60, retryBody, (of, world) => ({
    path: RETRIES,
    body: of(world),
    ...withKey(randomUUID()),
  })),
  '/api/v1/deliveries/resolve': entry(
    8,
    fc.tuple(selectBody, outcome, filterBody),
    ([select, said], world) => ({
      path: '/api/v1/deliveries/resolve',
      body: { select: unknownOnly(select(world)), outcome: said, ...confirm },
      ...withKey(randomUUID()),
    }),
  ),
  '/api/v1/deliveries/{id}/resolve': entry(8, fc.tuple(place, outcome), ([n, said], { deliveries }) => ({
    path: filled('/api/v1/deliveries/{id}/resolve', { id: nth(deliveries, n).id }),
    body: { outcome: said, confirm: true },
  })),
  ...ofEndpoint('enable', 6),
  ...ofEndpoint('disable', 3),
  '/api/v1/endpoints/{id}/rotate-secret': entry(
    3,
    fc.tuple(place, optional(fc.constantFrom(0, 1, 86_400_000))),
    ([n, oldValidForMs], { endpoints }) => {
      const endpoint = nth(endpoints, n);
      return {
        path: filled('/api/v1/endpoints/{id}/rotate-secret', { id: endpoint.id }),
        body: present({ oldValidForMs }),
        accepted: ({ secret }) => {
          endpoint.secret = secret;
        },
      };
    },
  ),
  '/api/v1/acks': entry(
    6,
    fc.tuple(fc.array(place, { minLength: 1, maxLength: 20 }), fc.boolean()),
    ([places, one], world) => {
      const acks = places.map((n) => {
        const { id, endpointId } = nth(world.deliveries, n);
        return signAck(
          world.endpoints.find((each) => each.id === endpointId),
          id,
        );
      });
      return { path: '/api/v1/acks', body: one ? acks[0] : acks };
    },
  ),
};

/** Only what is unknown can be settled, and a filter says so or nothing. */
function unknownOnly(select: Record<string, unknown>): Record<string, unknown> {
  return select.filter ? { filter: { ...select.filter, state: ['unknown'] } } : select;
}

const ZEN_EVENT = '/v1/tenants/{tid}/events/{eid}/retry';
const ZEN_BATCH = '/v1/tenants/{tid}/retry/batch';

const ZEN_MESH: Record<string, Entry> = {
  [ZEN_EVENT]: entry(8, fc.tuple(place, idempotencyKey), ([n, key], { tenant, events }) => ({
    path: filled(ZEN_EVENT, { tid: tenant.handle, eid: nth(events, n) }),
    body: {},
    ...withKey(key),
  })),
  [ZEN_BATCH]: entry(
    8,
    fc.tuple(
      fc.array(fc.tuple(place, fc.constantFrom('dlv', 'del', 'uuid')), { minLength: 1, maxLength: 40 }),
      idempotencyKey,
    ),
    ([picked, key], { tenant, deliveries }) => ({
      path: filled(ZEN_BATCH, { tid: uuidIn('tenant', tenant.id) }),
      body: {
        delivery_ids: picked.map(([n, form]) => {
          const { id } = nth(deliveries, n);
          return form === 'uuid' ? uuidIn('delivery', id) : id.replace(/^dlv/, form);
        }),
      },
      ...withKey(key),
    }),
  ),
  '/v1/replays': entry(
    8,
    fc.tuple(textAmong(...SOURCES), range('since', 'until', { whole: true }), idempotencyKey),
    ([source_id, time_range, key]) => ({
      path: '/v1/replays',
      body: { source_id, time_range },
      ...withKey(key),
    }),
  ),
};

const MINKA_PATH = '/v2/bridges/{id}/events/retry';

const MINKA: Record<string, Entry> = {
  [MINKA_PATH]: entry(
    10,
    fc.tuple(
      place,
      fc.boolean(),
      optional(fc.constantFrom(0, 1, 60, 2_880, 9_007_199_254_740_991)),
      fc.option(place, { nil: undefined, freq: 1 }),
      fc.boolean(),
    ),
    ([n, byLuid, maxAge, delivery, momentless], { endpoints, deliveries, signer, tenant }) => {
      const endpoint = nth(endpoints, n);
      const own = deliveries.filter(({ endpointId }) => endpointId === endpoint.id);
      const handle = delivery === undefined || own.length === 0 ? undefined : nth(own, delivery).id;
      const data = present({ maxAge, handle });
      const custom = momentless ? { note: '☃' } : { moment: new Date().toISOString(), nonce: randomUUID() };
      return {
        path: filled(MINKA_PATH, { id: byLuid ? endpoint.luid : endpoint.handle }),
        body: signed(signer, data, custom),
        headers: { 'x-ledger': tenant.handle },
        credential: 'signature',
      };
    },
  ),
};

const JACK_HENRY = '/a/api/enterprise-event/v1';
const SUBSCRIPTION = `${JACK_HENRY}/{institutionId}/retries/subscriptions/{subscriptionId}`;
const RAW = `${JACK_HENRY}/{institutionId}/retries/events`;
const ADMIN = `${JACK_HENRY}/retries/events`;

const NO_UUID = 'no uuid at all ☃';
const NOBODYS = '12345678-1234-1234-1234-123456789012';

const eventIds = listOf(fc.oneof(place, fc.constantFrom(NO_UUID, NOBODYS)), 6).map(
  (picked): InWorld<string[]> =>
    ({ events }) =>
      picked.map((each) => (typeof each === 'string' ? each : uuidIn('event', nth(events, each)))),
);
const eventNumbers = listOf(fc.oneof(place, fc.constantFrom('01', '-1', '999999999999999999', '')), 6).map(
  (picked): InWorld<string[]> =>
    (world) =>
      picked.map((each) => (typeof each === 'string' ? each : nth(world.eventNumbers, each))),
);

/** The members by which Jack Henry's clients name events. */
const jackHenryEvents = fc
  .record({
    eventId: optional(eventIds),
    eventNum: fc.option(eventNumbers, { nil: undefined, freq: 1 }),
    times: fc.oneof(fc.constant({}), range('fromTime', 'toTime')),
  })
  .map(
    ({ eventId, eventNum, times }): InWorld<Record<string, unknown>> =>
      (world) => ({
        ...present({ eventId: eventId?.(world), eventNum: eventNum?.(world) }),
        ...times,
      }),
  );

const rawMembers = fc.record({
  events: jackHenryEvents,
  ingestionBatchId: fc.option(listOf(textAmong(...BATCHES, '\0')), { nil: undefined, freq: 1 }),
  eventSource: fc.option(textAmong(...SOURCES, ''), { nil: undefined, freq: 1 }),
  replayMatchedSubscriptions: optional(fc.boolean()),
});

function rawBody(
  { events, ...members }: typeof rawMembers extends fc.Arbitrary<infer T> ? T : never,
  world: World,
) {
  return { ...events(world), ...present(members) };
}

const institution = ({ tenant }: World) => uuidIn('tenant', tenant.id);

const JACK_HENRY_ENTRIES: Record<string, Entry> = {
  [`${SUBSCRIPTION}/events/{eventId}`]: entry(
    8,
    fc.tuple(place, place, optional(fc.boolean()), idempotencyKey),
    ([endpoint, event, bypass, key], world) => ({
      path: filled(`${SUBSCRIPTION}/events/{eventId}`, {
        institutionId: institution(world),
        subscriptionId: uuidIn('endpoint', nth(world.endpoints, endpoint).id),
        eventId: uuidIn('event', nth(world.events, event)).toUpperCase(),
      }),
      body: present({ bypassSubscriptionFilter: bypass }),
      ...withKey(key),
    }),
  ),
  [SUBSCRIPTION]: entry(
    10,
    fc.record({
      endpoint: place,
      events: jackHenryEvents,
      dispatchStatus: optional(listOf(fc.constantFrom('succeeded', 'failed', 'pending'))),
      pendingLongerThan: optional(fc.constantFrom('1s', '30m', '36500d', '99999999999999999999d')),
      dispatchBatchId: fc.option(listOf(fc.constantFrom(NO_UUID, NOBODYS)), { nil: undefined, freq: 1 }),
      bypassSubscriptionFilter: optional(fc.boolean()),
      key: idempotencyKey,
    }),
    ({ endpoint, events, key, pendingLongerThan, ...members }, world) => ({
      path: filled(SUBSCRIPTION, {
        institutionId: institution(world),
        subscriptionId: uuidIn('endpoint', nth(world.endpoints, endpoint).id),
      }),
      body: {
        ...events(world),
        ...present(members),
        ...(members.dispatchStatus?.includes('pending') ? present({ pendingLongerThan }) : {}),
      },
      ...withKey(key),
    }),
  ),
  [`${RAW}/{eventId}`]: entry(
    8,
    fc.tuple(place, optional(fc.boolean()), idempotencyKey),
    ([event, replayMatchedSubscriptions, key], world) => ({
      path: filled(`${RAW}/{eventId}`, {
        institutionId: institution(world),
        eventId: uuidIn('event', nth(world.events, event)),
      }),
      body: present({ replayMatchedSubscriptions }),
      ...withKey(key),
    }),
  ),
  [RAW]: entry(8, fc.tuple(rawMembers, idempotencyKey), ([members, key], world) => ({
    path: filled(RAW, { institutionId: institution(world) }),
    body: rawBody(members, world),
    ...withKey(key),
  })),
  [ADMIN]: entry(
    8,
    fc.tuple(rawMembers, optional(listOf(fc.constantFrom('own', NO_UUID, NOBODYS))), idempotencyKey),
    ([members, named, key], world) => ({
      path: ADMIN,
      body: {
        ...rawBody(members, world),
        ...present({ institutionIds: named?.map((each) => (each === 'own' ? institution(world) : each)) }),
      },
      credential: 'installation',
      ...withKey(key),
    }),
  ),
};

/** The routes of Stedi below a prefix: they are served with the version and without. */
const stedi = (prefix: string): Record<string, Entry> => ({
  [`${prefix}/executions/retry`]: entry(
    6,
    fc.record({
      ids: optional(listOf(fc.oneof(place, fc.constantFrom(NO_UUID, NOBODYS)), 10)),
      direction: fc.option(fc.constantFrom('INBOUND', 'OUTBOUND', 'UNKNOWN'), { nil: undefined, freq: 1 }),
      faultCode: fc.option(fc.constantFrom(...FILE_FAULT_CODES), { nil: undefined, freq: 1 }),
      partnership: fc.option(fc.oneof(place, textAmong('nobody')), { nil: undefined, freq: 1 }),
      status: optional(
        fc.constantFrom('COMPLETED', 'PARTIALLY_COMPLETED', 'FAILED', 'IGNORED', 'IN_PROGRESS'),
      ),
      times: fc.oneof(fc.constant({}), range('from', 'to')),
      key: idempotencyKey,
    }),
    ({ ids, partnership, times, key, ...members }, { executions, endpoints }) => ({
      path: `${prefix}/executions/retry`,
      body: {
        condition: {
          ...present({
            ...members,
            executionIds: ids?.map((each) =>
              typeof each === 'string' ? each : uuidIn('execution', nth(executions, each)),
            ),
            partnershipId: typeof partnership === 'number' ? nth(endpoints, partnership).handle : partnership,
          }),
          ...times,
        },
      },
      credential: 'bare',
      ...withKey(key),
    }),
  ),
  [`${prefix}/events/{eventId}/retry`]: entry(5, fc.tuple(place, idempotencyKey), ([n, key], { events }) => ({
    path: filled(`${prefix}/events/{eventId}/retry`, { eventId: nth(events, n) }),
    credential: 'bare',
    ...withKey(key),
  })),
});

const FLOWRELAY = '/flowrelay/v1';

/** Previews the handoff of a delivery under a key of its own. */
function previewOf(n: number, world: World): Asked & { key: string } {
  const { eventId, endpointId } = nth(world.deliveries, n);
  const key = randomUUID();
  return {
    key,
    path: `${FLOWRELAY}/receipts/${eventId.replace(/^evt/, 'rcp')}/replay/preview`,
    body: { endpointId },
    ...withKey(key),
    accepted: ({ replayId }) => world.previews.push({ id: replayId, key }),
  };
}

/** A replay that was previewed, and confirmed where that is asked for; one that is nobody's where none was taken. */
async function replayOf(
  n: number,
  world: World,
  send: Send,
  confirmed: boolean,
): Promise<{ id: string; key: string }> {
  for (let again = 0; again < 5; again++) await send(previewOf(n + again, world));
  const found = world.previews.at(-1) ?? { id: 'rrp_01k9z3e5hbe7r9qk2m4n6p8r0s', key: randomUUID() };
  if (confirmed)
    await send({
      path: `${FLOWRELAY}/replays/${found.id}/confirm`,
      body: { confirmDuplicateRisk: true },
      ...withKey(found.key),
    });
  return found;
}

function flowRelay(send: Send): Record<string, Entry> {
  return {
    [`${FLOWRELAY}/receipts/{id}/replay/preview`]: entry(8, place, (n, world) => previewOf(n, world)),
    [`${FLOWRELAY}/replays/{id}/confirm`]: entry(
      6,
      fc.tuple(place, fc.boolean()),
      async ([n, risk], world) => {
        const { id, key } = await replayOf(n, world, send, false);
        return {
          path: `${FLOWRELAY}/replays/${id}/confirm`,
          body: { confirmDuplicateRisk: risk },
          ...withKey(key),
        };
      },
    ),
    [`${FLOWRELAY}/replays/{id}/execute`]: entry(8, place, async (n, world) => {
      const { id, key } = await replayOf(n, world, send, true);
      return { path: `${FLOWRELAY}/replays/${id}/execute`, body: {}, ...withKey(key) };
    }),
  };
}

/** Every route that starts work, steers it or changes what it meets, with valid requests of it; `send` sends what goes before. */
export function startingRequests(send: Send): Record<string, Entry> {
  return {
    ...NATIVE,
    ...controls(send),
    ...ZEN_MESH,
    ...MINKA,
    ...JACK_HENRY_ENTRIES,
    ...stedi(''),
    ...stedi('/2023-08-01'),
    ...flowRelay(send),
  };
}

/** Routes that are posted to and start nothing: what they make is a credential, a name, a search or a record. */
export const STARTS_NOTHING = [
  '/api/v1/tenants',
  '/api/v1/keys',
  '/api/v1/jwt-issuers',
  '/api/v1/signers',
  '/api/v1/access-rules',
  '/api/v1/endpoints',
  `${JACK_HENRY}/{institutionId}/subscriptions`,
  `${JACK_HENRY}/{institutionId}/events/{subscriptionId}/search`,
  `${FLOWRELAY}/receipts/{id}/diagnostics/preview`,
  `${FLOWRELAY}/diagnostics/{id}/freeze`,
];
