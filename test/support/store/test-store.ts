import { randomBytes, randomUUID } from 'node:crypto';
import type { EndpointConfig } from '../../../src/domain/endpoints/endpoint.ts';
import type { AcceptedItem } from '../../../src/domain/operations/accepted-item.ts';
import type { Selection } from '../../../src/domain/operations/selection.ts';
import type { AttemptResult } from '../../../src/domain/sending/attempt-result.ts';
import { classify } from '../../../src/domain/sending/classification.ts';
import { decideNext } from '../../../src/domain/sending/decide-next.ts';
import { DEFAULT_RETRY_POLICY } from '../../../src/domain/sending/retry-policy.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { createIngest } from '../../../src/ingest/create-ingest.ts';
import { acceptOperation } from '../../../src/operations/accept-operation.ts';
import type { AcceptRequest } from '../../../src/operations/accepting/accept-request.ts';
import { freezeNext } from '../../../src/operations/freeze-selection.ts';
import type { RecoveryDeps } from '../../../src/operations/recovery-deps.ts';
import { createPool, type Pool, withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE, type Queryable } from '../../../src/store/db/queryable.ts';
import { type Claim, type ClaimedItem, claimItems, type Grant } from '../../../src/store/sending/claims.ts';
import {
  endClaims,
  type Outcome,
  type Recorded,
  recordOutcomes,
} from '../../../src/store/settling/outcomes.ts';
import { insertEndpointVersion } from '../../../src/store/tenancy/endpoint-versions.ts';
import { advanceVersion, insertEndpoint } from '../../../src/store/tenancy/endpoints.ts';
import { insertTenant } from '../../../src/store/tenancy/tenants.ts';
import { createLogger } from '../../../src/telemetry/log.ts';
import { createTestDatabase, type TestPool } from './test-database.ts';

/** A tenant as requests name it. */
export type TestTenant = { id: Id<'tenant'>; handle: string };

type IncomingEvent = Parameters<ReturnType<typeof createIngest>>[1][number];

/** A claim as its sender holds it. */
export type HeldClaim = Claim & { token: string };

/** How one attempt ends, in short. */
export type Ending =
  | number
  | 'timeout'
  | 'refused'
  | 'kept_back'
  | 'released'
  | { status: number; retryAfterMs: number };

/** An accepted operation, and the fate of each delivery of an explicit list. */
export type Accepted = { operationId: Id<'operation'>; items: AcceptedItem[] };

/** The store over a database of its own, without Temporal: the engine's work at its level, step by step. */
export type TestStore = {
  url: string;
  pool: TestPool;
  deps: RecoveryDeps;
  newTenant(): Promise<TestTenant>;
  newEndpoint(tenant: TestTenant, config?: Partial<EndpointConfig>): Promise<Id<'endpoint'>>;
  /** Accepts events of one call; returns the deliveries they made, in order. */
  ingest(tenant: TestTenant, count: number, event?: Partial<IncomingEvent>): Promise<Id<'delivery'>[]>;
  /** Accepts a retry, or what `request` makes of it. */
  retry(tenant: TestTenant, selection: Selection, request?: Partial<AcceptRequest>): Promise<Accepted>;
  /** Selects to the end, by pages of a size. */
  select(operationId: Id<'operation'>, page?: number): Promise<void>;
  /** Claims for `workedBy` (the live lane by default) at these endpoints (all that there are by default). */
  claim(options?: {
    workedBy?: Id<'operation'>;
    endpointIds?: Id<'endpoint'>[];
    count?: number;
    /** The grants, in the place of `count` at each of `endpointIds`. */
    grants?: Grant[];
    leaseMs?: number;
    maxBytes?: number;
  }): Promise<HeldClaim>;
  /** Records how the claim's items ended and, when all of them are told, ends the claim. */
  record(claim: HeldClaim, ending: Ending | ((item: ClaimedItem) => Ending)): Promise<Recorded[]>;
  /** Claims and records in one go. */
  attempt(ending: Ending, options?: Parameters<TestStore['claim']>[0]): Promise<Recorded[]>;
  /** Makes everything that waits due at once. */
  timePasses(): Promise<void>;
  /** Lets every lease that is out have ended. */
  leasesEnd(): Promise<void>;
  // biome-ignore lint/suspicious/noExplicitAny: rows as the driver gives them
  rows(sql: string, values?: unknown[]): Promise<any[]>;
  close(): Promise<void>;
};

/** The configuration of a test's endpoint unless it says otherwise. */
export const ENDPOINT: EndpointConfig = {
  url: 'http://127.0.0.1:9/',
  timeoutMs: 1_000,
  retry: { maxAttempts: 3, initialMs: 60_000, factor: 1, capMs: 60_000 },
  giveUpAfterMs: 86_400_000,
  onAmbiguous: 'resend',
  requireAck: false,
  traceparent: false,
  protect: true,
  ordered: false,
  onExhausted: 'block',
  onRecovered: 'propose',
  reconcileWithinMs: 3_600_000,
};

/** Makes a store on a fresh clone of the migrated template. */
export async function createTestStore(options: { connections?: number } = {}): Promise<TestStore> {
  const database = await createTestDatabase({ max: 2 });
  const name = new URL(database.url).pathname.slice(1);
  // Nothing here asks what survives a crash of the server; a deadlock is to be found at once.
  await database.pool.query(`alter database ${name} set synchronous_commit = off`);
  await database.pool.query(`alter database ${name} set deadlock_timeout = '20ms'`);
  const pool = createPool(database.url, { max: options.connections ?? 10 });
  const deps = quietDeps(pool);
  const configs = new Map<Id<'endpoint'>, EndpointConfig>();

  const store: TestStore = {
    url: database.url,
    pool,
    deps,
    async newTenant() {
      const handle = `t-${randomBytes(5).toString('hex')}`;
      const tenant = await insertTenant(pool, { handle });
      if (!tenant) throw new Error(`the handle ${handle} is taken`);
      return { id: tenant.id, handle };
    },
    async newEndpoint(tenant, config = {}) {
      const id = randomUUID() as Id<'endpoint'>;
      configs.set(id, { ...ENDPOINT, ...config });
      await withTransaction(pool, async (db) => {
        await insertEndpoint(db, tenant.id, { id, handle: `e-${id.slice(0, 8)}` });
        await insertEndpointVersion(db, tenant.id, id, 1, { ...ENDPOINT, ...config });
      });
      return id;
    },
    async ingest(tenant, count, event = {}) {
      const body = '{"n":1}';
      const accepted = await createIngest(deps)(
        tenant.id,
        Array.from({ length: count }, () => ({
          type: 'test.made',
          body,
          payloadBytes: body.length,
          payload: { n: 1 },
          ...event,
        })),
      );
      const made = await pool.query<{ id: Id<'delivery'> }>(
        `select d.id from deliveries d join events v on v.id = d.event_id where v.id = any($1) order by v.number, d.id`,
        [accepted.map(({ eventId }) => eventId)],
      );
      return made.rows.map((row) => row.id);
    },
    retry: (tenant, selection, request) => acceptOn(deps, tenant, selection, request),
    async select(operationId, page) {
      while (await freezeNext(pool, operationId, page ? { page } : {}));
    },
    async claim({
      workedBy = LIVE_LANE,
      endpointIds,
      count = 100,
      grants = (endpointIds ?? [...configs.keys()]).map((endpointId) => ({ endpointId, count })),
      leaseMs = 60_000,
      maxBytes = 1e9,
    } = {}) {
      const token = randomUUID();
      return { token, ...(await claimItems(pool, workedBy, token, grants, leaseMs, maxBytes)) };
    },
    async record(claim, ending) {
      const recorded = await recordOutcomes(
        pool,
        claim.items.map((item) =>
          outcomeOf(
            claim.token,
            item,
            typeof ending === 'function' ? ending(item) : ending,
            configs.get(item.endpointId) ?? ENDPOINT,
          ),
        ),
      );
      await endClaims(pool, [claim.token]);
      return recorded;
    },
    async attempt(ending, options) {
      return store.record(await store.claim(options), ending);
    },
    async timePasses() {
      await timePasses(pool);
    },
    async leasesEnd() {
      await pool.query(`update claims set lease_until = clock_timestamp() - interval '1 second'`);
    },
    async rows(sql, values) {
      return (await pool.query(sql, values)).rows;
    },
    async close() {
      await pool.end();
      await database.drop();
    },
  };
  return store;
}

/** Gives an endpoint its next version. */
export async function changeEndpoint(
  pool: Pool,
  tenant: TestTenant,
  endpointId: Id<'endpoint'>,
  version: number,
  config: EndpointConfig,
): Promise<void> {
  await withTransaction(pool, async (db) => {
    await insertEndpointVersion(db, tenant.id, endpointId, version, config);
    await advanceVersion(db, tenant.id, endpointId, version);
  });
}

/** The dependencies of the recovery services, where nobody listens. */
export function quietDeps(pool: Pool): RecoveryDeps {
  return {
    pool,
    log: createLogger({ level: 'silent' }),
    startOperation: async () => {},
    nudgeOperation: async () => {},
    pokeLiveLane: () => {},
  };
}

/** Accepts a retry on `deps`; a refusal is a failure of the test. */
export async function acceptOn(
  deps: RecoveryDeps,
  tenant: TestTenant,
  selection: Selection,
  request: Partial<AcceptRequest> = {},
): Promise<Accepted> {
  const result = await acceptOperation(deps, {
    tenant,
    surface: 'native',
    caller: { actor: 'test' },
    kind: 'retry',
    target: 'current',
    selection,
    options: {},
    render: ({ items = [] }) => items,
    ...request,
  });
  if (!result.ok) throw new Error(`not accepted: ${result.code}`);
  return { operationId: result.operationId, items: JSON.parse(result.body) };
}

/** Makes everything that waits due, and ends the wait for unknown outcomes. */
export async function timePasses(db: Queryable): Promise<void> {
  // Here and wherever a test plays the clock: rows that others hold are left alone, so that the clock never waits.
  await db.query(
    `update queue q set due_at = least(due_at, now() - interval '1 second'),
       reconcile_until = least(reconcile_until, now() - interval '1 second')
     from (select delivery_id from queue for update skip locked) o where q.delivery_id = o.delivery_id`,
  );
}

/** How the sender would tell this ending, with no luck in it. */
export function outcomeOf(
  token: string,
  item: ClaimedItem,
  ending: Ending,
  config: EndpointConfig = ENDPOINT,
): Outcome {
  const classification = classify(resultOf(ending));
  return {
    executionId: item.executionId,
    deliveryId: item.deliveryId,
    token,
    classification,
    next: decideNext({
      outcome: classification,
      attempts: item.attempts + 1,
      lost: { all: item.lostAttempts, inARow: 0 },
      policy: config.retry ?? DEFAULT_RETRY_POLICY,
      onAmbiguous: config.onAmbiguous,
      random: 0,
    }),
    endpointVersion: item.version,
    // It takes no longer than the test did: otherwise it would have begun before it was claimed.
    durationMs: 0,
    reconcileWithinMs: config.reconcileWithinMs,
  };
}

function resultOf(ending: Ending): AttemptResult {
  if (ending === 'released') return { kind: 'released', reason: 'stopping' };
  if (ending === 'timeout') return { kind: 'faulted', fault: 'timeout', mayHaveArrived: true, durationMs: 5 };
  if (ending === 'kept_back')
    return { kind: 'faulted', fault: 'proxy_failed', mayHaveArrived: false, durationMs: 5 };
  if (ending === 'refused')
    return { kind: 'faulted', fault: 'connection_refused', mayHaveArrived: false, durationMs: 5 };
  const { status, retryAfterMs } =
    typeof ending === 'number' ? { status: ending, retryAfterMs: undefined } : ending;
  return {
    kind: 'answered',
    status,
    excerpt: new Uint8Array(),
    durationMs: 5,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}
