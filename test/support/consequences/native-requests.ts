import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { eventually } from '../eventually.ts';
import { signAck } from '../receivers/acknowledge.ts';
import { type Entry, entry, filled, present, type Send, withKey } from './asked.ts';
import { anyTime, optional, textAmong } from './awkward.ts';
import { filterBody, nth, place, retryBody, selectBody } from './retry-bodies.ts';
import type { World } from './world.ts';
import { BATCHES, EXTERNAL_IDS, KEYS, SOURCES, TYPES } from './world.ts';

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
const PLANS = `${RETRIES}/plans`;

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
export function controls(send: Send): Record<string, Entry> {
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

/** Makes a plan and looks at it until it is made; its id and hash. */
async function planOf(
  body: unknown,
  { engine: { client }, tenant: { key } }: World,
  send: Send,
): Promise<{ id: string; planHash: string }> {
  let id = 'pln_01k9z3e5hbe7r9qk2m4n6p8r0s';
  await send({
    path: PLANS,
    body,
    accepted: (plan) => {
      id = plan.id;
    },
  });
  let planHash = 'f'.repeat(64);
  await eventually('the plan is made', async () => {
    const { status, body: plan } = await client.call('GET', `${PLANS}/${id}?wait=5`, { key });
    planHash = plan.planHash ?? planHash;
    return status === 404 || plan.planHash !== null;
  });
  return { id, planHash };
}

/** Plans, and executes what was planned. */
export function planRequests(send: Send): Record<string, Entry> {
  return {
    [PLANS]: entry(12, retryBody, (of, world) => ({ path: PLANS, body: of(world) })),
    [`${PLANS}/{id}/execute`]: entry(
      12,
      fc.tuple(retryBody, optional(fc.constantFrom(0, 5, 100))),
      async ([of, maxDriftPercent], world) => {
        const { id, planHash } = await planOf(of(world), world, send);
        return { path: `${PLANS}/${id}/execute`, body: present({ planHash, maxDriftPercent }) };
      },
    ),
  };
}

function ofEndpoint(verb: string, runs: number): Record<string, Entry> {
  const path = `/api/v1/endpoints/{id}/${verb}`;
  return {
    [path]: entry(runs, place, (n, { endpoints }) => ({ path: filled(path, { id: nth(endpoints, n).id }) })),
  };
}

/** Requests of the native API. */
export const NATIVE: Record<string, Entry> = {
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
  '/api/v1/deliveries/{id}/resolve': entry(
    8,
    fc.tuple(place, outcome),
    ([n, said], { deliveries, unknown }) => ({
      path: filled('/api/v1/deliveries/{id}/resolve', {
        id: nth(unknown.length > 0 ? unknown : deliveries, n).id,
      }),
      body: { outcome: said, confirm: true },
    }),
  ),
  '/api/v1/deliveries/resolve': entry(
    8,
    fc.tuple(selectBody, outcome, filterBody),
    ([select, said], world) => ({
      path: '/api/v1/deliveries/resolve',
      body: { select: unknownOnly(select(world)), outcome: said, ...confirm },
      ...withKey(randomUUID()),
    }),
  ),
  ...ofEndpoint('enable', 6),
  ...ofEndpoint('test', 4),
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

/** Only unknown deliveries can be settled: a filter names that state and no other. */
function unknownOnly(select: Record<string, unknown>): Record<string, unknown> {
  return select.filter ? { filter: { ...select.filter, state: ['unknown'] } } : select;
}
