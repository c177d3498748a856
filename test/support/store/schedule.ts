import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { Refusal } from '../../../src/domain/endpoints/preparation.ts';
import { nextStep } from '../../../src/domain/operations/next-step.ts';
import type { OperationOptions } from '../../../src/domain/operations/operation.ts';
import type { Selection } from '../../../src/domain/operations/selection.ts';
import type { DeliveryState } from '../../../src/domain/sending/delivery-state.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { createIngest } from '../../../src/ingest/create-ingest.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { acknowledgeDeliveries } from '../../../src/operations/deliveries/acknowledge-deliveries.ts';
import { resolveDelivery } from '../../../src/operations/deliveries/resolve-delivery.ts';
import { selectAgain } from '../../../src/operations/freeze-explicit.ts';
import { freezeNext } from '../../../src/operations/freeze-selection.ts';
import { settleExpiredClaims } from '../../../src/operations/settle-expired.ts';
import { deleteEndpoint, disableEndpoint, enableEndpoint } from '../../../src/operations/switch-endpoint.ts';
import { type Pool, withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE } from '../../../src/store/db/queryable.ts';
import { foldAttempts } from '../../../src/store/figures/attempt-folds.ts';
import { cancelUnsent } from '../../../src/store/operations/cancelling.ts';
import { operationFacts } from '../../../src/store/operations/operation-facts.ts';
import { cancelExpired } from '../../../src/store/operations/operation-states.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { claimItems } from '../../../src/store/sending/claims.ts';
import { handOverWaiting, holdEndpoints } from '../../../src/store/sending/disabled-endpoints.ts';
import { refusePrepared } from '../../../src/store/sending/preparation.ts';
import { endClaims, recordOutcomes } from '../../../src/store/settling/outcomes.ts';
import {
  disableGone,
  giveUpOverdue,
  ignoreAtClosedEndpoints,
  ignoreWithoutPayload,
  settleAcknowledged,
} from '../../../src/store/settling/settlement.ts';
import { NO_ID } from './any-id.ts';
import { freeze, hashAndEnd } from './close-operation.ts';
import { Crashed, type CrashPoint, crashingPool } from './crashing-pool.ts';
import { figureViolations } from './figures.ts';
import { forbiddenChanges, type Ledger, readLedger, violationsOf } from './ledger.ts';
import { lineViolations } from './ledger-lines.ts';
import { outageViolations, stepOutage } from './outage-steps.ts';
import { removeOnce } from './retention.ts';
import {
  acceptOn,
  ENDPOINT,
  type Ending,
  type HeldClaim,
  outcomeOf,
  quietDeps,
  type TestStore,
  type TestTenant,
  timePasses,
} from './test-store.ts';
import { undeliveredViolations } from './undelivered.ts';

/** One thing that happens; numbers choose among what there is at that moment, so that a schedule shrinks well. */
export type Step = { act: keyof typeof ACTS; a: number; b: number; c: number; crash?: CrashPoint };

const STATES: DeliveryState[] = ['pending', 'delivered', 'failed', 'unknown', 'cancelled', 'ignored'];
const ENDINGS: Ending[] = [
  200,
  500,
  500,
  404,
  410,
  'timeout',
  'timeout',
  'refused',
  'released',
  { status: 503, retryAfterMs: 86_400_000 },
];
const REFUSALS: [Refusal, ...Refusal[]] = [
  { state: 'failed', reason: 'guide_missing' },
  { state: 'ignored', reason: 'no_longer_matches' },
];
const PAGE = 2;
const LINES_OF_CHUNK = 1;
const HELD_CLAIMS = 6;
const MAX_ENDPOINTS = 5;

/** One tenant, two endpoints, of which one resends and one holds, and the claims of their senders. */
export class World {
  readonly store: TestStore;
  readonly tenant: TestTenant;
  readonly endpointIds: Id<'endpoint'>[];
  /** As it was after the last step: the next one chooses from it. */
  ledger: Ledger;
  /** Claims of senders that still live, those among them whose lease has ended too. */
  readonly claims: HeldClaim[] = [];
  readonly told = new Map<string, Set<string>>();
  readonly #linesChecked = new Set<string>();

  /** Its events are past their term from the beginning. */
  readonly removes: boolean;

  private constructor(
    store: TestStore,
    tenant: TestTenant,
    endpointIds: Id<'endpoint'>[],
    ledger: Ledger,
    removes: boolean,
  ) {
    this.removes = removes;
    this.store = store;
    this.tenant = tenant;
    this.endpointIds = endpointIds;
    this.ledger = ledger;
  }

  /** A world of two events for both endpoints in an emptied store. */
  static async create(store: TestStore, { removes = false } = {}): Promise<World> {
    await store.pool.query(`
      delete from operation_counts; delete from attempts; delete from executions; delete from exclusions; delete from claims; delete from pace_slots;
      delete from report_addenda; delete from closure_reports; delete from ledger_chunks; delete from report_drafts;
      delete from frozen_items; delete from late_changes; delete from operation_pacing; delete from operation_controls;
      delete from resolved_executions; delete from resolutions; delete from outage_operations; delete from plan_pages;
      delete from plan_endpoints; delete from plans; delete from operations; delete from idempotency_keys;
      delete from deliveries; delete from payloads; delete from event_identities; delete from event_resends;
      delete from events;
      delete from endpoint_pacing; delete from outages; delete from endpoint_versions; delete from endpoints;
      alter table audit_entries disable trigger keep_entry; delete from audit_entries;
      alter table audit_entries enable trigger keep_entry;
      delete from event_sweep_held; delete from event_sweeps; delete from payload_sweeps;
      delete from tenant_counters; delete from tenants`);
    const tenant = await store.newTenant();
    // Shorter than anybody may set it.
    if (removes)
      await store.pool.query(`update tenants set settings = '{"eventRetentionDays": 0}' where id = $1`, [
        tenant.id,
      ]);
    const endpointIds = [
      await store.newEndpoint(tenant),
      await store.newEndpoint(tenant, { onAmbiguous: 'hold', retry: { ...ENDPOINT.retry, maxAttempts: 2 } }),
    ];
    await store.ingest(tenant, 2);
    return new World(store, tenant, endpointIds, await readLedger(store.pool), removes);
  }

  /** An operation: one that is open as a rule, now and then any, for steps that come too late. */
  anOperation(n: number): Id<'operation'> | undefined {
    const open = this.ledger.operations.filter((operation) => !operation.closed_at);
    return (n % 6 === 5 ? undefined : pick(open, n)?.id) ?? pick(this.ledger.operations, n)?.id;
  }

  /** Does a step; one that crashes has done no more than it had committed. */
  async take(step: Step): Promise<void> {
    const pool = step.crash ? crashingPool(this.store.pool, step.crash) : this.store.pool;
    try {
      await ACTS[step.act](this, step, pool);
    } catch (error) {
      if (!(error instanceof Crashed)) throw error;
    }
  }

  /** Looks at the ledger as it is now, and fails where it contradicts the rules or what it said before. */
  async check(since: { severalSteps?: boolean } = {}): Promise<void> {
    const before = this.ledger;
    this.ledger = await readLedger(this.store.pool);
    const faults = [
      ...violationsOf(this.ledger),
      ...forbiddenChanges(before, this.ledger, since),
      ...(await lineViolations(this.store.pool, this.#linesChecked)),
      ...(await figureViolations(this.store.pool, this.tenant.id, { outlive: this.removes })),
      ...(await outageViolations(this.store.pool)),
      ...(await undeliveredViolations(this.store.pool)),
    ];
    if (faults.length > 0) throw new Error(faults.join('\n'));
  }

  /** Lets everything come to its end: stopped operations go on, receivers are well again. */
  async drain(): Promise<void> {
    const { store } = this;
    for (const id of this.endpointIds) await enableEndpoint(store.deps, this.tenant.id, id);
    for (let round = 0; round < 20; round++) {
      const { rows } = await store.pool.query(
        `select id, control, state from operations where closed_at is null`,
      );
      for (const { id, control, state } of rows) {
        if (state === 'planned') await controlOperation(store.deps, this.tenant.id, id, { do: 'cancel' });
        if (control === 'pause') await controlOperation(store.deps, this.tenant.id, id, { do: 'resume' });
        await store.select(id, PAGE);
      }
      await store.leasesEnd();
      await settleExpiredClaims(store.pool);
      await withTransaction(store.pool, (db) => giveUpOverdue(db, 100));
      await timePasses(store.pool);
      for (const workedBy of [LIVE_LANE, ...rows.map((row) => row.id)]) {
        await ignoreClosed(this, workedBy, store.pool);
        // At first nobody knows the outcomes, which makes operations close over unknown items.
        await store.record(await claim(this, workedBy, 100, store.pool), round === 0 ? 'timeout' : 200);
      }
      for (const { id } of rows) await close(id, store.pool);
      const left = await store.rows(`select from executions where state in ('queued', 'scheduled', 'sending')
        union all select from operations where closed_at is null`);
      if (left.length === 0) return this.#resolveAll();
    }
    throw new Error('what was accepted does not come to its end');
  }

  /**
   * Has unknown deliveries sent again, after their operations have closed, or says that they failed where nothing can be
   * sent; then nothing is open at all.
   */
  async #resolveAll(): Promise<void> {
    const { store } = this;
    for (const { delivery_id: id } of await store.rows(
      `select delivery_id from executions where state = 'unknown'`,
    )) {
      const again = await resolveDelivery(store.deps, this.tenant.id, id, 'retry');
      if (!again.ok) await resolveDelivery(store.deps, this.tenant.id, id, 'failed');
    }
    await this.check();
    await store.record(await claim(this, LIVE_LANE, 100, store.pool), 500);
    await this.check();
    await timePasses(store.pool);
    await ignoreClosed(this, LIVE_LANE, store.pool);
    await store.record(await claim(this, LIVE_LANE, 100, store.pool), 200);
    const left = await store.rows('select from executions where open');
    if (left.length > 0) throw new Error(`${left.length} executions are left open`);
  }
}

/** Any step, the common ones often. */
export const anyStep: fc.Arbitrary<Step> = steps([['ingest', 1]]);

/** The same, where events are past their term as soon as nothing keeps them, and are removed. */
export const anyStepWithRemovals: fc.Arbitrary<Step> = steps([
  ['ingest', 12],
  ['remove', 14],
]);

function steps(own: [keyof typeof ACTS, number][]): fc.Arbitrary<Step> {
  return fc
    .record({
      act: fc.oneof(
        ...(
          [
            ...own,
            ['retry', 14],
            ['freeze', 8],
            ['claim', 14],
            ['record', 14],
            ['recordAgain', 2],
            ['refuse', 4],
            ['leaseEnds', 5],
            ['timePasses', 8],
            ['pause', 6],
            ['resume', 2],
            ['cancel', 5],
            ['cancelBatch', 5],
            ['pauseExpires', 1],
            ['giveUp', 1],
            ['endpoint', 3],
            ['outage', 8],
            ['erase', 1],
            ['newEndpoint', 2],
            ['close', 10],
            ['resolve', 4],
            ['acknowledge', 4],
            ['fold', 2],
          ] as const
        ).map(([act, weight]) => ({ weight, arbitrary: fc.constant(act) })),
      ),
      a: fc.nat({ max: 999 }),
      b: fc.nat({ max: 999 }),
      c: fc.nat({ max: 999 }),
      crash: fc.oneof(
        { weight: 8, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: fc.record({ statement: fc.nat({ max: 9 }), after: fc.boolean() }) },
      ),
    })
    .map(({ crash, ...step }) => (crash ? { ...step, crash } : step));
}

const ACTS = {
  async ingest(world: World, { a, b, c }: Step, pool: Pool) {
    const externalId = c % 4 === 0 ? `x${b % 2}` : undefined;
    await createIngest(quietDeps(pool))(
      world.tenant.id,
      Array.from({ length: 1 + (a % 2) }, () => ({
        type: `t${b % 2}`,
        body: '{}',
        payloadBytes: 2,
        payload: {},
        ...(externalId ? { externalId } : {}),
      })),
    );
  },

  async retry(world: World, { a, b, c }: Step, pool: Pool) {
    const selection = someSelection(world, a, b);
    if (!selection) return;
    const kind = c % 7 === 0 ? 'replay' : 'retry';
    const newIdentity = kind === 'replay' && a % 2 === 0;
    const options: OperationOptions = {
      ...(c % 2 === 0 ? { takeOverScheduled: true } : {}),
      ...(c % 5 === 0 ? { ratePerSecond: 1_000 } : {}),
      ...(c % 3 === 0 && !newIdentity ? { matchFilter: true } : {}),
      ...(c % 11 === 0 ? { notBefore: new Date(Date.now() + 3_600_000).toISOString() } : {}),
    };
    const accepted = acceptOn(quietDeps(pool), world.tenant, selection, { kind, newIdentity, options });
    if (world.removes) await accepted.catch(unlessGone);
    else await accepted;
  },

  /** One or two events of those that nothing keeps. */
  async remove(world: World, { a }: Step, pool: Pool) {
    try {
      await removeOnce(pool, world.tenant.id, { events: 1 + (a % 2), waitMs: 50 });
    } catch (error) {
      if ((error as { code?: string }).code !== '55P03') throw error;
    }
  },

  async freeze(world: World, { a, b }: Step, pool: Pool) {
    const id = world.anOperation(a);
    if (id) await freezeNext(pool, id, { page: PAGE, pages: 1 + (b % 3) });
  },

  async claim(world: World, { a, b, c }: Step, pool: Pool) {
    const workedBy = a % 2 === 0 ? LIVE_LANE : (world.anOperation(b) ?? LIVE_LANE);
    const held = await claim(world, workedBy, 1 + (c % 4), pool, c % 5 === 0 ? 1 : 1e9);
    world.claims.push(held);
    if (world.claims.length > HELD_CLAIMS) world.claims.shift();
  },

  async record(world: World, { a, b, c }: Step, pool: Pool) {
    const held = pick(world.claims, a);
    if (held) await record(world, held, b, c, pool);
  },

  /** The connection was lost after the commit, and the recorder does it again; or it is a zombie. */
  async recordAgain(world: World, { a, b, c }: Step, pool: Pool) {
    const held = pick(world.claims, a);
    if (!held) return;
    await record(world, held, b, c, pool);
    await record(world, held, b, c + 1, pool);
  },

  /** Their preparation refused them: they are released and ended in one transaction. */
  async refuse(world: World, { a, b, c }: Step, pool: Pool) {
    const held = pick(world.claims, a);
    if (held) await refuse(world, held, b, c, pool);
  },

  async leaseEnds({ store }: World, { a }: Step, pool: Pool) {
    await store.pool.query(
      `update claims set lease_until = now() - interval '1 second'
       where token in (select token from claims order by token limit 1 + $1 for update skip locked)`,
      [a % 2],
    );
    await settleExpiredClaims(pool);
  },

  async fold(_: World, { a }: Step, pool: Pool) {
    await withTransaction(pool, (db) => foldAttempts(db, 1 + (a % 3)));
  },

  async timePasses({ store }: World) {
    await timePasses(store.pool);
  },

  async pause(world: World, { a }: Step, pool: Pool) {
    const id = world.anOperation(a);
    if (id) await controlOperation(quietDeps(pool), world.tenant.id, id, { do: 'pause' });
  },

  async resume(world: World, { a }: Step, pool: Pool) {
    const id = world.anOperation(a);
    if (id) await controlOperation(quietDeps(pool), world.tenant.id, id, { do: 'resume' });
  },

  async cancel(world: World, { a }: Step, pool: Pool) {
    const id = world.anOperation(a);
    if (id) await controlOperation(quietDeps(pool), world.tenant.id, id, { do: 'cancel' });
  },

  async cancelBatch(world: World, { a, b }: Step, pool: Pool) {
    const stopped = world.ledger.operations.filter((o) => o.control === 'cancel' && !o.closed_at);
    const id = pick(stopped, a)?.id;
    if (id) await withTransaction(pool, (db) => cancelUnsent(db, id, 1 + (b % 3)));
  },

  async pauseExpires(world: World, { a }: Step, pool: Pool) {
    const id = world.anOperation(a);
    if (!id) return;
    await world.store.pool.query(
      `update operations set expires_at = now() - interval '1 second' where id = $1 and expires_at is not null`,
      [id],
    );
    await cancelExpired(pool, id);
  },

  async giveUp({ store }: World, { a, b }: Step, pool: Pool) {
    await store.pool.query(
      `update queue set give_up_at = now() - interval '1 second' where delivery_id in (
         select delivery_id from queue order by execution_id offset $1 limit 2 for update skip locked)`,
      [a % 5],
    );
    await withTransaction(pool, (db) => giveUpOverdue(db, 1 + (b % 3)));
  },

  async endpoint(world: World, { a, b, c }: Step, pool: Pool) {
    const id = pick(world.endpointIds, a) ?? NO_ID;
    const deps = quietDeps(pool);
    if (b % 20 === 0) await deleteEndpoint(deps, world.tenant.id, id, ['enabled', 'disabled']);
    else if (b % 4 === 0) await disableEndpoint(deps, world.tenant.id, id);
    else await enableEndpoint(deps, world.tenant.id, id);
    const workedBy = c % 2 === 0 ? LIVE_LANE : (world.anOperation(c) ?? LIVE_LANE);
    await ignoreClosed(world, workedBy, pool);
  },

  async outage(world: World, { a, b, c }: Step, pool: Pool) {
    await stepOutage(pool, world.tenant, pick(world.endpointIds, a) ?? NO_ID, { b, c });
  },

  /** It gets the events that are there already only by a fresh match. */
  async newEndpoint(world: World) {
    if (world.endpointIds.length < MAX_ENDPOINTS)
      world.endpointIds.push(await world.store.newEndpoint(world.tenant));
  },

  async erase(world: World, { a }: Step, pool: Pool) {
    await pool.query(
      'delete from payloads where event_id = (select event_id from deliveries where id = $1)',
      [pick(world.ledger.deliveries, a)?.id],
    );
  },

  async close(world: World, { a }: Step, pool: Pool) {
    const id = world.anOperation(a);
    if (id) await close(id, pool);
  },

  async resolve(world: World, { a, b }: Step, pool: Pool) {
    const id = pick(
      world.ledger.executions.filter((e) => e.state === 'unknown'),
      a,
    )?.delivery_id;
    const outcome = (['delivered', 'failed', 'retry'] as const)[b % 3] ?? 'retry';
    if (id) await resolveDelivery(quietDeps(pool), world.tenant.id, id, outcome);
  },

  /** A receiver's word, or the late 2xx of a sender that was cut off. */
  async acknowledge(world: World, { a }: Step, pool: Pool) {
    const id = pick(world.ledger.deliveries, a)?.id;
    if (id) await acknowledgeDeliveries(quietDeps(pool), [id]);
  },
};

/** What was chosen by the last look may have been removed since. */
function unlessGone(error: unknown): void {
  if (!(error instanceof Error && error.message.endsWith('unknown_ids'))) throw error;
}

/**
 * Closes an operation as an activity does, without Temporal's part; one that comes too late does so, too. One of more
 * lines than a chunk is frozen first, and closed by the next step that would: items change in between.
 */
async function close(operationId: Id<'operation'>, pool: Pool): Promise<void> {
  const operation = await loadOperation(pool, operationId);
  if (operation?.control === 'cancel')
    while ((await withTransaction(pool, (db) => cancelUnsent(db, operationId, 2))).length > 0);
  else if (operation) await withTransaction(pool, (db) => selectAgain(db, operation, 2));
  const facts = await operationFacts(pool, operationId);
  if (!facts || nextStep(facts).do !== 'close') return;
  const frozen = await freeze(pool, operationId, { linesOfChunk: LINES_OF_CHUNK });
  if (frozen.became === 'refused' && frozen.why === 'counts_disagree')
    throw new Error(`the counts of ${operationId} disagree`);
  if (frozen.became === 'frozen_already')
    await hashAndEnd(pool, operationId, { linesOfChunk: LINES_OF_CHUNK });
}

async function claim(
  world: World,
  workedBy: Id<'operation'>,
  count: number,
  pool: Pool,
  maxBytes = 1e9,
): Promise<HeldClaim> {
  const token = randomUUID();
  const grants = world.endpointIds.map((endpointId) => ({ endpointId, count }));
  const held = { token, ...(await claimItems(pool, workedBy, token, grants, 60_000, maxBytes)) };
  await withTransaction(pool, async (db) => {
    await ignoreWithoutPayload(db, held.withoutPayload);
    await settleAcknowledged(db, held.acknowledged);
  });
  return held;
}

/** Tells some of a claim's items, and ends the claim when all have been told: as the recorder does. */
async function record(world: World, held: HeldClaim, b: number, c: number, pool: Pool): Promise<void> {
  const some = b % 3 === 0 ? held.items.slice(0, 1) : held.items;
  const outcomes = some.map((item, i) =>
    outcomeOf(held.token, item, pick(ENDINGS, c + i * 3) ?? 200, {
      ...ENDPOINT,
      onAmbiguous: item.endpointId === world.endpointIds[1] ? 'hold' : 'resend',
    }),
  );
  // A token is never given out again: an item that is not under it now is nobody's to record with it.
  const rows = await world.store.rows('select id from executions where lease_token = $1', [held.token]);
  const own = new Set(rows.map((row) => row.id));
  const recorded = outcomes.length > 0 ? await untilTaken(() => recordOutcomes(pool, outcomes)) : [];
  const stolen = recorded.find(({ executionId }) => !own.has(executionId));
  if (stolen) throw new Error(`execution ${stolen.executionId} was recorded by a zombie`);
  const gone = outcomes.filter((o) => o.classification.outcome === 'gone').map((o) => o.executionId);
  const goneAt = some.filter((item) => gone.includes(item.executionId)).map((item) => item.endpointId);
  if (goneAt.length > 0) await withTransaction(pool, (tx) => disableGone(tx, goneAt));
  const told = world.told.get(held.token) ?? new Set();
  world.told.set(held.token, told);
  for (const item of some) told.add(item.executionId);
  if (told.size === held.items.length) await endClaims(pool, [held.token]);
}

/** Ends some of a claim's items unsent, as the recorder does with those that their preparation refused. */
async function refuse(world: World, held: HeldClaim, b: number, c: number, pool: Pool): Promise<void> {
  const some = b % 3 === 0 ? held.items.slice(0, 1) : held.items;
  const refusal = REFUSALS[c % REFUSALS.length] ?? REFUSALS[0];
  if (some.length > 0)
    await withTransaction(pool, async (db) => {
      const recorded = await recordOutcomes(
        db,
        some.map((item) => outcomeOf(held.token, item, 'released')),
      );
      await refusePrepared(
        db,
        recorded.flatMap(({ executionId, state }) => (state === 'queued' ? [{ executionId, refusal }] : [])),
      );
    });
  const told = world.told.get(held.token) ?? new Set();
  world.told.set(held.token, told);
  for (const item of some) told.add(item.executionId);
  if (told.size === held.items.length) await endClaims(pool, [held.token]);
}

/** As the recorder: an outcome is written again until the database takes it. */
async function untilTaken<T>(write: () => Promise<T>): Promise<T> {
  for (;;)
    try {
      return await write();
    } catch (error) {
      if ((error as { code?: string }).code !== '40P01') throw error;
    }
}

async function ignoreClosed(world: World, workedBy: Id<'operation'>, pool: Pool): Promise<void> {
  await withTransaction(pool, async (db) => {
    await holdEndpoints(db, world.endpointIds);
    if (workedBy === LIVE_LANE) await handOverWaiting(db, world.endpointIds, 2);
    await ignoreAtClosedEndpoints(db, workedBy, world.endpointIds, 2);
  });
}

function someSelection(world: World, a: number, b: number): Selection | undefined {
  const { deliveries, executions } = world.ledger;
  const deliveryIds = deliveries.map(({ id }) => id);
  const one = pick(deliveryIds, b);
  if (!one) return undefined;
  const several = deliveryIds.filter((_, i) => (b >> (i % 8)) % 2 === 1).concat(one);
  const eventIds = deliveries.filter((d) => several.includes(d.id)).map((d) => d.event_id);
  switch (a % 13) {
    case 10:
      return { afresh: {} };
    case 11:
      return { afresh: { eventIds } };
    case 12:
      return {
        afresh: { eventIds },
        endpoints: { ids: world.endpointIds.slice(b % 3), ...(b % 2 === 0 ? { unfiltered: true } : {}) },
      };
    case 0:
      return { deliveryIds: [one] };
    case 1:
    case 2:
      return { deliveryIds: several };
    case 3:
      return { eventIds: deliveries.filter((d) => d.id === one).map((d) => d.event_id) };
    case 4:
      return { executionIds: executions.filter((e) => e.delivery_id === one).map((e) => e.id) };
    case 5: {
      const of = world.anOperation(b);
      if (of) return b % 2 === 0 ? { failuresOf: of } : { remainderOf: of };
      return undefined;
    }
    case 6:
      return {
        filter: {
          state: ['failed', 'pending', 'unknown', 'cancelled', 'ignored'],
          endpointIds: world.endpointIds,
        },
      };
    case 8:
      return {
        filter: {
          state: ['failed', 'ignored', 'cancelled'],
          newest: { states: ['failed', 'ignored', 'cancelled', 'superseded'] },
        },
      };
    case 9:
      return {
        filter: {
          state: ['failed', 'ignored', 'cancelled'],
          newest: {
            ids: executions.filter((e) => e.delivery_id === one).map((e) => e.id),
            states: ['failed', 'ignored', 'cancelled', 'superseded'],
          },
        },
      };
    default:
      return { filter: { state: b % 3 === 0 ? STATES : ['failed', pick(STATES, b) ?? 'failed'] } };
  }
}

function pick<T>(from: readonly T[], n: number): T | undefined {
  return from[n % from.length];
}
