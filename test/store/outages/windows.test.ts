import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LEFT_STATES, type OutageWindow, windowFilter } from '../../../src/domain/outages/outage-window.ts';
import type { DeliveryState } from '../../../src/domain/sending/delivery-state.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { Parameters } from '../../../src/store/db/parameters.ts';
import { countWindow } from '../../../src/store/outages/outages.ts';
import { partitionsOf, selectionPage } from '../../../src/store/selection/selection-page.ts';
import { idOf } from '../../support/partitions/id-of.ts';
import { anyId } from '../../support/store/any-id.ts';
import { useStore } from '../../support/store/use-store.ts';

/** The deliveries of the window of an outage, against what is said of them without SQL. */

const store = useStore();

/** One delivery with one execution; times are seconds after `EPOCH`. */
interface Told {
  mine: boolean;
  state: DeliveryState;
  acceptedAt: number;
  /** When its attempts began; the last of them was the one that delivered, where it is delivered. */
  attemptsAt: number[];
  /** How long after its last attempt, or its acceptance, it ended. */
  endedAfter: number;
  /** Why it was ignored. */
  reason: 'endpoint_disabled' | 'suppressed_duplicate';
}

const EPOCH = Date.parse('2026-03-01T00:00:00Z');
const at = (second: number) => new Date(EPOCH + second * 1_000);
const [REACHES, FROM, TO] = [2, 5, 8];
const STATES = ['pending', 'delivered', 'failed', 'unknown', 'cancelled', 'ignored'] as const;

const anyTold: fc.Arbitrary<Told> = fc
  .record({
    mine: fc.boolean(),
    state: fc.constantFrom(...STATES),
    acceptedAt: fc.nat(10),
    waits: fc.array(fc.nat(5), { maxLength: 3 }),
    endedAfter: fc.nat(4),
    reason: fc.constantFrom('endpoint_disabled' as const, 'suppressed_duplicate' as const),
  })
  .map(({ waits, ...told }) => {
    let last = told.acceptedAt;
    const attemptsAt = waits.map((wait) => {
      last += wait;
      return last;
    });
    // What is delivered, failed or unknown was tried, unless it was given up.
    return { ...told, attemptsAt: told.state === 'delivered' ? [...attemptsAt, last + 1] : attemptsAt };
  });

const endOf = ({ attemptsAt, acceptedAt, endedAfter }: Told) =>
  (attemptsAt.at(-1) ?? acceptedAt) + endedAfter;
const within = (second: number) => second >= FROM && second <= TO;

/** Whether a delivery belongs to the window. */
function belongs(told: Told): boolean {
  const { mine, state, acceptedAt, attemptsAt, reason } = told;
  if (!mine || acceptedAt < REACHES || acceptedAt > TO) return false;
  if (state === 'ignored' && reason !== 'endpoint_disabled') return false;
  if (acceptedAt >= FROM) return true;
  const missed = state === 'delivered' ? attemptsAt.slice(0, -1) : attemptsAt;
  const ended = (state === 'failed' || state === 'ignored') && within(endOf(told));
  return missed.some(within) || ended;
}

const EXECUTION = { pending: 'scheduled' } as Partial<Record<DeliveryState, string>>;

/** Writes such deliveries; their ids, in order. */
async function seed(tenantId: string, mine: string, others: string, all: Told[]): Promise<Id<'delivery'>[]> {
  const seeds = all.map((told, n) => ({
    n,
    event_id: idOf(),
    delivery_id: randomUUID(),
    execution_id: idOf(),
    endpoint_id: told.mine ? mine : others,
    state: told.state,
    execution: EXECUTION[told.state] ?? told.state,
    accepted_at: at(told.acceptedAt),
    attempts: told.attemptsAt.length,
    attempts_at: told.attemptsAt.map(at),
    ended_at: told.state === 'pending' || told.state === 'unknown' ? null : at(endOf(told)),
    changed_at: at(endOf(told)),
    reason:
      told.state === 'ignored' ? told.reason : told.state === 'cancelled' ? 'operation_cancelled' : null,
  }));
  await store.pool.query(
    `with s as materialized (
      select * from jsonb_to_recordset($2) as s(n int, event_id uuid, delivery_id uuid, execution_id uuid, endpoint_id uuid,
        state text, execution text, accepted_at timestamptz, attempts int, attempts_at timestamptz[], ended_at timestamptz,
        changed_at timestamptz, reason text)
    ), event as (
      insert into events (id, tenant_id, number, type, accepted_at, ingest_call_id, payload_bytes)
      select event_id, $1, $3::int + n, 'told', accepted_at, $1, 2 from s
    ), delivery as (
      insert into deliveries (id, tenant_id, event_id, endpoint_id, state, state_changed_at, accepted_at, payload_bytes,
        attempts, last_attempt_at, fault_code)
      select delivery_id, $1, event_id, endpoint_id, state, changed_at, accepted_at, 2, attempts,
        attempts_at[cardinality(attempts_at)], case when attempts > 0 then 'http_5xx' end from s
    ), execution as (
      insert into executions (id, tenant_id, delivery_id, endpoint_id, state, reason, due_at, give_up_at, attempts,
        created_at, finished_at)
      select execution_id, $1, delivery_id, endpoint_id, execution, reason, now(), now() + interval '1 day', attempts,
        accepted_at, ended_at from s
    )
    insert into attempts (execution_id, number, tenant_id, started_at, duration_ms, outcome)
    select execution_id, u.n, $1, u.at, 1,
      case when s.state = 'delivered' and u.n = s.attempts then 'delivered' else 'retryable' end
    from s cross join lateral unnest(s.attempts_at) with ordinality as u(at, n)`,
    [tenantId, JSON.stringify(seeds), seeded],
  );
  seeded += all.length;
  return seeds.map((each) => anyId(each.delivery_id));
}

let seeded = 0;

async function selected(tenantId: Id<'tenant'>, window: OutageWindow): Promise<Id<'delivery'>[]> {
  const selection = { filter: windowFilter(window) };
  const found: Id<'delivery'>[] = [];
  for (const partition of partitionsOf(selection).keys()) {
    const p = new Parameters();
    const page = selectionPage(tenantId, selection, { after: { partition } }, p);
    const { rows } = await store.pool.query<{ id: Id<'delivery'> }>(page, p.values);
    found.push(...rows.map(({ id }) => id));
  }
  return found;
}

const LEFT: readonly DeliveryState[] = LEFT_STATES;

describe('the window of an outage', () => {
  test('selects exactly what was accepted within it, or tried in vain, given up or ignored within it, and is left', async () => {
    const tenant = await store.newTenant();
    const stranger = await store.newTenant();
    await fc.assert(
      fc.asyncProperty(fc.array(anyTold, { minLength: 1, maxLength: 40 }), async (all) => {
        const mine = await store.newEndpoint(tenant);
        const ids = await seed(tenant.id, mine, await store.newEndpoint(tenant), all);
        const window = { endpointId: mine, from: at(FROM), to: at(TO), reachesBackTo: at(REACHES) };
        const expected = ids.filter((_, n) => {
          const told = all[n];
          return told && belongs(told) && LEFT.includes(told.state);
        });
        expect((await selected(tenant.id, window)).sort()).toEqual(expected.sort());
        expect(await selected(stranger.id, window)).toEqual([]);

        const counted = new Map<string, number>();
        for (const told of all) {
          if (belongs(told)) counted.set(told.state, (counted.get(told.state) ?? 0) + 1);
        }
        const { counts, more } = await countWindow(store.pool, tenant.id, window, 1_000);
        const shown = new Map<string, number>();
        for (const { state, deliveries } of counts) shown.set(state, (shown.get(state) ?? 0) + deliveries);
        expect([new Map([...shown].sort()), more]).toEqual([new Map([...counted].sort()), false]);
      }),
      { numRuns: 40 },
    );
  });

  test('is counted up to a bound, and says where there is more', async () => {
    const tenant = await store.newTenant();
    const mine = await store.newEndpoint(tenant);
    const failed: Told = {
      mine: true,
      state: 'failed',
      acceptedAt: 6,
      attemptsAt: [6],
      endedAfter: 0,
      reason: 'endpoint_disabled',
    };
    await seed(
      tenant.id,
      mine,
      mine,
      Array.from({ length: 6 }, () => failed),
    );
    const window = { endpointId: mine, from: at(FROM), to: at(TO), reachesBackTo: at(REACHES) };
    const counts = (deliveries: number) => [{ state: 'failed', faultCode: 'http_5xx', deliveries }];
    expect(await countWindow(store.pool, tenant.id, window, 6)).toEqual({ counts: counts(6), more: false });
    expect(await countWindow(store.pool, tenant.id, window, 5)).toEqual({ counts: counts(6), more: true });
  });
});
