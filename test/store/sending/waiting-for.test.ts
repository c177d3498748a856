import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { OUTAGE_RULES } from '../../../src/domain/outages/outage-rules.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { Wake } from '../../../src/loops/wake.ts';
import { createAddressGuard } from '../../../src/outbound/address-guard.ts';
import { createAttemptClient } from '../../../src/outbound/attempt.ts';
import { createSealer } from '../../../src/sealing/sealing.ts';
import { EndpointMemory } from '../../../src/sending/endpoint-memory.ts';
import { HandOvers } from '../../../src/sending/hand-over.ts';
import { LiveTraffic } from '../../../src/sending/live-traffic.ts';
import { OwnShortages } from '../../../src/sending/own-shortages.ts';
import type { SendingContext } from '../../../src/sending/sending-context.ts';
import { Slice } from '../../../src/sending/slice.ts';
import { SpareSockets } from '../../../src/sending/spare-sockets.ts';
import { TargetCache } from '../../../src/sending/target-cache.ts';
import { Turns } from '../../../src/sending/turns.ts';
import { LIVE_LANE } from '../../../src/store/db/queryable.ts';
import { readControl } from '../../../src/store/operations/operation-facts.ts';
import { waitsOfExecutions } from '../../../src/store/reading/waits.ts';
import { createLogger } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { useStore } from '../../support/store/use-store.ts';

/** The reasons that are named for a delivery's wait, against what a slice does when it looks. */

const store = useStore({ connections: 6 });
let attempts: SendingContext['attempts'];

beforeAll(async () => {
  attempts = createAttemptClient({ guard: createAddressGuard(['127.0.0.0/8']) });
});
afterAll(async () => {
  await attempts.close();
});

/** Far enough away that no machine is slow enough to reach it. */
const LATER = `now() + interval '10 minutes'`;
const BEFORE = `now() - interval '10 minutes'`;

const anyTime = fc.constantFrom(`'-infinity'`, BEFORE, LATER);

const anyEndpoint = fc.record({
  state: fc.oneof(
    { weight: 12, arbitrary: fc.constant(`state = 'enabled'`) },
    {
      weight: 1,
      arbitrary: fc.constant(
        `state = 'disabled', disabled_reason = 'operator', disabled_at = clock_timestamp()`,
      ),
    },
    {
      weight: 1,
      arbitrary: fc.constant(`state = 'disabled', disabled_reason = 'operator', disabled_at = ${BEFORE}`),
    },
    {
      weight: 1,
      arbitrary: fc.constant(`state = 'disabled', disabled_reason = 'gone', disabled_at = clock_timestamp()`),
    },
    { weight: 1, arbitrary: fc.constant(`state = 'deleted'`) },
  ),
  ordered: fc.boolean(),
  // A rate that lets live work go a hundred seconds ahead, and one that does not.
  rate: fc.constantFrom(null, 0.01, 1_000),
  arrival: fc.constantFrom(`'-infinity'`, `now() + interval '50 seconds'`, LATER),
  maxConcurrency: fc.constantFrom(null, 1, 4),
  window: fc.constantFrom(null, 1, 2.5, 9),
  slots: fc.constantFrom(0, 1, 2, 3, 4),
  slotsUntil: fc.constantFrom(BEFORE, LATER),
  openings: fc.constantFrom(0, 0, 0, 2),
  floor: fc.oneof({ weight: 3, arbitrary: fc.constant(`'-infinity'`) }, { weight: 1, arbitrary: anyTime }),
  retryAfter: fc.boolean(),
  trial: fc.oneof({ weight: 3, arbitrary: fc.constant(`'-infinity'`) }, { weight: 1, arbitrary: anyTime }),
  due: fc.oneof({ weight: 3, arbitrary: fc.constant(BEFORE) }, { weight: 1, arbitrary: fc.constant(LATER) }),
  putOff: fc.oneof(
    { weight: 3, arbitrary: fc.constant('null') },
    { weight: 1, arbitrary: fc.constant(BEFORE) },
  ),
  giveUp: fc.oneof(
    { weight: 9, arbitrary: fc.constant(LATER) },
    { weight: 1, arbitrary: fc.constant(BEFORE) },
  ),
  canary: fc.constantFrom(null, 'testing', 'spent', 'passed', 'held'),
  freeze: fc.oneof(
    { weight: 5, arbitrary: fc.constant(null) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        `${BEFORE}, ${LATER}`,
        `${BEFORE}, now() - interval '1 second'`,
        `${LATER}, 'infinity'`,
      ),
    },
  ),
});

const anyWorld = fc.record({
  owner: fc.constantFrom('nobody', 'interactive', 'bulk', 'bulk'),
  endpoints: fc.array(anyEndpoint, { minLength: 8, maxLength: 8 }),
  operation: fc.oneof(
    { weight: 1, arbitrary: fc.constant(`control = 'run'`) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        `control = 'pause', state = 'paused', expires_at = ${LATER}`,
        `control = 'pause', state = 'halted', halt = '{}', expires_at = ${LATER}`,
        `control = 'cancel', state = 'closing'`,
      ),
    },
  ),
  rated: fc.constantFrom(null, null, `'-infinity'`, LATER),
  full: fc.constantFrom(null, null, false, true),
});

type AnyWorld = typeof anyWorld extends fc.Arbitrary<infer World> ? World : never;

/** Makes a world of facts and returns whose work is in it, and its unsent executions. */
async function make(world: AnyWorld): Promise<{ workedBy: Id<'operation'>; ids: Id<'execution'>[] }> {
  const tenant = await store.newTenant();
  const endpointIds: Id<'endpoint'>[] = [];
  for (const { ordered } of world.endpoints) endpointIds.push(await store.newEndpoint(tenant, { ordered }));
  // Two of one key for each endpoint; where it has no order the second is of another day.
  const deliveryIds = await store.ingest(tenant, 2, { key: 'k' });
  let operationId: Id<'operation'> | undefined;
  if (world.owner !== 'nobody') {
    const selection = world.owner === 'bulk' ? { filter: { state: ['pending' as const] } } : { deliveryIds };
    const canary = world.owner === 'bulk' ? { canary: { count: 1, maxFailurePercent: 100 } } : {};
    const made = await store.retry(tenant, selection, { options: { takeOverScheduled: true, ...canary } });
    operationId = made.operationId;
    await store.select(operationId);
    await store.rows(`update operations set ${world.operation} where id = $1`, [operationId]);
  }
  if (operationId && world.owner === 'bulk') {
    if (world.rated !== null) {
      await store.rows('update operations set rate_per_second = 10000 where id = $1', [operationId]);
      await store.rows(`update operation_pacing set arrival_at = ${world.rated} where operation_id = $1`, [
        operationId,
      ]);
    }
    if (world.full !== null) {
      await store.rows('update operations set max_concurrency = 100 where id = $1', [operationId]);
      await slots(operationId, world.full ? 100 : 10, LATER);
    }
  }
  for (const [n, facts] of world.endpoints.entries()) {
    const id = endpointIds[n] ?? '';
    await store.rows(`update endpoints set ordered = ${facts.ordered}, ${facts.state} where id = $1`, [id]);
    await store.rows(
      'update endpoint_versions set rate_per_second = $2, max_concurrency = $3 where endpoint_id = $1',
      [id, facts.rate, facts.maxConcurrency],
    );
    const opened = facts.openings > 0;
    await store.rows(
      `update endpoint_pacing set arrival_at = ${facts.arrival}, window_size = $2, openings = $3, streak = $4,
         floor_until = ${facts.floor}, retry_after_until = ${facts.retryAfter || !opened ? facts.floor : `'-infinity'`},
         trial_until = ${opened ? facts.trial : `'-infinity'`} where endpoint_id = $1`,
      [id, opened ? 1 : facts.window, facts.openings, opened ? 20 : 0],
    );
    if (facts.slots > 0) await slots(id, facts.slots, facts.slotsUntil);
    await store.rows(
      `update executions set due_at = ${facts.due}, give_up_at = ${facts.giveUp},
         put_off_from = ${facts.due === LATER ? facts.putOff : 'null'} where endpoint_id = $1 and open`,
      [id],
    );
    if (facts.freeze)
      await store.rows(
        `insert into freeze_spans (tenant_id, endpoint_id, from_at, to_at) values ($1, $2, ${facts.freeze})`,
        [tenant.id, id],
      );
    if (!facts.ordered)
      await store.rows(
        `update executions set due_at = ${LATER} where id = (select id from executions where endpoint_id = $1 and open order by id desc limit 1)`,
        [id],
      );
    if (operationId && world.owner === 'bulk' && facts.canary)
      await store.rows(
        'insert into canaries (operation_id, endpoint_id, state, allowed, claimed) values ($1, $2, $3, 1, $4)',
        [
          operationId,
          id,
          facts.canary === 'spent' ? 'testing' : facts.canary,
          facts.canary === 'testing' ? 0 : 1,
        ],
      );
  }
  const rows = await store.rows('select id from executions where tenant_id = $1 and open', [tenant.id]);
  return {
    workedBy: operationId && world.owner === 'bulk' ? operationId : LIVE_LANE,
    ids: rows.map(({ id }) => id),
  };
}

async function slots(pacedId: string, count: number, until: string): Promise<void> {
  await store.rows(
    `insert into pace_slots (paced_id, token, slots, expires_at) values ($1, $2, $3, ${until})`,
    [pacedId, randomUUID(), count],
  );
}

/** A slice that has looked so often has claimed all that it can: everything there is fits into its first claims. */
const LOOKS = 8;

/** Lets a real slice do all that it can, and returns its claims. */
async function claimedBy(workedBy: Id<'operation'>): Promise<Set<string>> {
  const log = createLogger({ level: 'silent' });
  const stop = new AbortController();
  let looks = 0;
  // A delivery that the sweeper would end, or that a pause holds in the live lane, is asked for again and again.
  const looking = () => {
    looks += 1;
    if (looks > LOOKS) stop.abort();
  };
  const memory = new EndpointMemory();
  const metrics = createMetrics();
  const context: SendingContext = {
    pool: store.pool,
    attempts,
    handOvers: new HandOvers(store.pool),
    presets: new Map(),
    turns: new Turns(),
    targets: new TargetCache(store.pool, createSealer(randomBytes(32))),
    memory,
    liveTraffic: new LiveTraffic(),
    spareSockets: new SpareSockets(0),
    shortages: new OwnShortages({ log, metrics, memory }),
    log,
    metrics,
    userAgent: 'test',
    lease: { startWithinMs: 60_000, marginMs: 60_000 },
    outages: OUTAGE_RULES,
  };
  await new Slice(context, {
    workedBy,
    lane: workedBy === LIVE_LANE ? 'live' : 'bulk',
    sockets: 64,
    stop: stop.signal,
    budgetMs: Number.POSITIVE_INFINITY,
    endWhenIdleForMs: 0,
    wake: new Wake(stop.signal),
    ...(workedBy === LIVE_LANE
      ? {
          share: () => {
            looking();
            return { index: 0, of: 1 };
          },
        }
      : {
          control: () => {
            looking();
            return readControl(store.pool, workedBy);
          },
        }),
  }).run();
  const rows = await store.rows('select distinct execution_id from attempts');
  return new Set(rows.map((row) => row.execution_id));
}

/** Every reason that holds back in one of the random worlds. */
const MET = [
  'canary',
  'circuit',
  'concurrency',
  'due',
  'end',
  'endpoint_disabled',
  'freeze_window',
  'halt',
  'order',
  'pause',
  'rate',
  'retry_after',
  'window',
];

test('a slice claims exactly the deliveries that nothing is said to hold back', async () => {
  const seen = new Set<string>();
  let free = 0;
  const worlds = () =>
    fc.assert(
      fc.asyncProperty(anyWorld, async (world) => {
        const { workedBy, ids } = await make(world);
        const waits = await waitsOfExecutions(store.pool, ids);
        expect([...waits.keys()].sort()).toEqual([...ids].sort());
        const claimed = await claimedBy(workedBy);
        for (const [id, holding] of waits) {
          for (const { what } of holding) seen.add(what);
          if (holding.length === 0) free += 1;
          expect({ holding, claimed: claimed.has(id) }).toEqual({ holding, claimed: holding.length === 0 });
        }
        await store.rows(
          `update executions set state = 'cancelled', reason = 'test', finished_at = now() where open`,
        );
      }),
      { numRuns: 60, endOnFailure: true },
    );
  // It is worth something only where all of them were met, and enough that nothing holds back.
  for (let round = 0; round < 10 && (round === 0 || seen.size < MET.length || free < 30); round++)
    await worlds();
  expect([...seen].sort()).toEqual(MET);
  expect(free).toBeGreaterThanOrEqual(30);
});
