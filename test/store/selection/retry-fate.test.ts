import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from '@jest/globals';
import { ENDPOINT_STATES, type EndpointState } from '../../../src/domain/endpoints/endpoint-state.ts';
import type { Control, OperationState } from '../../../src/domain/operations/operation-state.ts';
import {
  exclusionOf,
  type RetryFacts,
  type RetryRequest,
  retryFate,
} from '../../../src/domain/operations/retry-fate.ts';
import type { Selection } from '../../../src/domain/operations/selection.ts';
import type { DeliveryState } from '../../../src/domain/sending/delivery-state.ts';
import { type ExecutionState, isOpen } from '../../../src/domain/sending/execution-state.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import type { Transaction } from '../../../src/store/db/queryable.ts';
import { LIVE_LANE } from '../../../src/store/db/queryable.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { freezePage } from '../../../src/store/selection/freeze.ts';
import { WHOLE } from '../../../src/store/selection/selection-page.ts';
import { setEndpointState } from '../../../src/store/tenancy/endpoints.ts';
import { idOf } from '../../support/partitions/id-of.ts';
import { anyId } from '../../support/store/any-id.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** The freeze decides in SQL for a page at once; for each of these facts it must decide as the function does. */

const store = useStore();
let tenant: TestTenant;
let scenes: Scene[];

beforeAll(async () => {
  tenant = await store.newTenant();
  scenes = await furnish();
});

/** A delivery in the ledger, and the facts that the function is told of it. */
interface Scene {
  deliveryId: Id<'delivery'>;
  endpointId: Id<'endpoint'>;
  facts: RetryFacts;
  holderId?: string;
}

/** How a delivery and its newest execution stand. */
interface Standing {
  delivery: DeliveryState;
  tip: ExecutionState;
  reason?: string;
  changedSince?: boolean;
}

/** An operation that holds something open, which it may not send for a while. */
type Stopped = { control: Control; state: OperationState; canaryHeld: boolean; windowHolds?: boolean };

const CLOSED: Standing[] = [
  { delivery: 'failed', tip: 'failed' },
  { delivery: 'failed', tip: 'cancelled', reason: 'operation_cancelled' },
  { delivery: 'failed', tip: 'ignored', reason: 'endpoint_disabled' },
  { delivery: 'cancelled', tip: 'cancelled', reason: 'operation_cancelled' },
  { delivery: 'ignored', tip: 'ignored', reason: 'endpoint_disabled' },
  { delivery: 'ignored', tip: 'ignored', reason: 'suppressed_duplicate' },
  { delivery: 'delivered', tip: 'delivered' },
  { delivery: 'delivered', tip: 'failed' },
];
const WAITING: Standing[] = [
  { delivery: 'pending', tip: 'queued' },
  { delivery: 'failed', tip: 'scheduled' },
  { delivery: 'delivered', tip: 'queued' },
];
const NOT_TO_TAKE: Standing[] = [
  { delivery: 'pending', tip: 'sending' },
  { delivery: 'delivered', tip: 'sending' },
  { delivery: 'unknown', tip: 'unknown' },
  { delivery: 'delivered', tip: 'unknown' },
];
const HOLDERS: Stopped[] = [
  ...(['accepted', 'selecting', 'running'] as const).map((state) => ({ control: 'run', state }) as const),
  ...(['running', 'paused', 'halted'] as const).map((state) => ({ control: 'pause', state }) as const),
  ...(['running', 'halted', 'closing'] as const).map((state) => ({ control: 'cancel', state }) as const),
  { control: 'run', state: 'closing' } as const,
].flatMap((holder) => [true, false].map((canaryHeld) => ({ ...holder, canaryHeld })));

async function furnish(): Promise<Scene[]> {
  const made: Scene[] = [];
  for (const [endpoint, windowHolds] of ENDPOINT_STATES.flatMap((state) =>
    [false, true].map((held) => [state, held] as const),
  )) {
    const endpointId = await store.newEndpoint(tenant);
    if (windowHolds) await newWindow(endpointId);
    const holders: { id?: string; holder?: Stopped }[] = [{}];
    for (const holder of HOLDERS)
      holders.push({ id: await newHolder(holder, endpointId), holder: { ...holder, windowHolds } });
    for (const payloadKept of [true, false]) {
      for (const standing of CLOSED)
        for (const changedSince of [true, false])
          made.push(await seed({ ...standing, changedSince }, { endpointId, endpoint, payloadKept }));
      for (const standing of NOT_TO_TAKE)
        made.push(await seed(standing, { endpointId, endpoint, payloadKept }));
      for (const standing of WAITING)
        for (const held of holders)
          made.push(await seed(standing, { endpointId, endpoint, payloadKept, ...held }));
    }
    if (endpoint !== 'enabled') await setEndpointState(store.pool, tenant.id, endpointId, endpoint);
  }
  return made;
}

async function newWindow(endpointId: Id<'endpoint'>): Promise<void> {
  await store.rows(
    `insert into freeze_spans (tenant_id, endpoint_id, from_at, to_at)
     values ($1, $2, now() - interval '1 hour', now() + interval '1 day')`,
    [tenant.id, endpointId],
  );
}

async function newHolder(
  { control, state, canaryHeld }: Stopped,
  endpointId: Id<'endpoint'>,
): Promise<string> {
  const { operationId } = await store.retry(tenant, { filter: { state: [] } });
  await store.rows(
    `update operations set control = $2, state = $3, halt = case $3 when 'halted' then '{}'::jsonb end where id = $1`,
    [operationId, control, state],
  );
  await store.rows(
    `insert into canaries (operation_id, endpoint_id, allowed, state) values ($1, $2, 1, $3)`,
    [operationId, endpointId, canaryHeld ? 'held' : 'testing'],
  );
  return operationId;
}

async function seed(
  { delivery, tip, reason, changedSince = false }: Standing,
  {
    endpointId,
    endpoint,
    payloadKept,
    id,
    holder,
  }: {
    endpointId: Id<'endpoint'>;
    endpoint: EndpointState;
    payloadKept: boolean;
    id?: string;
    holder?: Stopped;
  },
): Promise<Scene> {
  const [eventId, deliveryId] = [idOf(), idOf()];
  await store.rows(
    `with event as (
      insert into events (id, tenant_id, number, type, ingest_call_id, payload_bytes, accepted_at)
      select $1, $2, coalesce(max(number), 0) + 1, 'seeded', $1, 2, now() from events where tenant_id = $2
    ), payload as (
      insert into payloads (event_id, tenant_id, body) select $1, $2, '{}' where $3
    ), delivery as (
      insert into deliveries (id, tenant_id, event_id, endpoint_id, state, state_changed_at, accepted_at, payload_bytes,
        attempts, last_attempt_at)
      select $4, $2, $1, $5, $6, now() + case when $7 then interval '1 hour' else interval '0' end, now(), 2, n,
        case n when 1 then now() end
      from (select case when $6 in ('failed', 'delivered', 'unknown') then 1 else 0 end as n) a
    )
    insert into executions (tenant_id, delivery_id, endpoint_id, operation_id, worked_by, state, reason, due_at, give_up_at,
      lease_token, finished_at)
    values ($2, $4, $5, $8::uuid, coalesce($8::uuid, '${LIVE_LANE}'), $9, $10, now(), now() + interval '1 day',
      case $9::text when 'sending' then uuidv7() end, case when not $11 then now() end)`,
    [
      eventId,
      tenant.id,
      payloadKept,
      deliveryId,
      endpointId,
      delivery,
      changedSince,
      id ?? null,
      tip,
      reason ?? null,
      isOpen(tip),
    ],
  );
  const open: RetryFacts['open'] =
    tip === 'queued' || tip === 'scheduled'
      ? { state: tip, holder: holder ? { by: 'operation', ...holder } : { by: 'live_lane' } }
      : tip === 'sending' || tip === 'unknown'
        ? { state: tip }
        : undefined;
  return {
    deliveryId,
    endpointId,
    ...(id ? { holderId: id } : {}),
    facts: {
      delivery,
      endpoint,
      payloadKept,
      suppressedDuplicate: !isOpen(tip) && reason === 'suppressed_duplicate',
      changedSince,
      ...(open ? { open } : {}),
    },
  };
}

type Request = { asked: RetryRequest; selection: Selection };

/** Requests, each with the selection that the function does not see: an explicit list is told nothing of changes. */
const SAME_IDENTITY: Request[] = [true, false].flatMap((takesOverScheduled) =>
  [true, false].flatMap((matchesFilters) =>
    (['retry', 'replay'] as const).flatMap((kind) =>
      [true, false].map((isSingle) => ({
        asked: {
          kind,
          takesOverScheduled,
          takesOverStopped: takesOverScheduled || isSingle,
          matchesFilters,
        },
        selection: isSingle ? { deliveryIds: [anyId(randomUUID())] } : { filter: {} },
      })),
    ),
  ),
);

/** A replay that makes new deliveries takes nothing over, whatever it selects. */
const NEW_IDENTITY: Request[] = SAME_IDENTITY.filter(
  ({ asked }) => asked.kind === 'replay' && !asked.takesOverScheduled && !asked.matchesFilters,
).map(({ asked, selection }) => ({ asked: { ...asked, newIdentity: true }, selection }));

const REQUESTS = [...SAME_IDENTITY, ...NEW_IDENTITY];

/** The fate of a delivery as the freeze decides it under a request, in a transaction that leaves nothing behind. */
interface FateRow {
  delivery_id: Id<'delivery'>;
  became: string;
  supersedes: boolean;
  joined: boolean;
  held_by: string | null;
}

async function frozen(
  db: Transaction,
  { asked, selection }: Request,
  moved?: Id<'endpoint'>[],
): Promise<Map<string, { became: string; supersedes: boolean; joined: boolean; heldBy: string | null }>> {
  const operation = await loadOperation(
    db,
    (await store.retry(tenant, { filter: { state: [] } })).operationId,
  );
  if (!operation) throw new Error('the operation is not there');
  const { kind, takesOverScheduled, matchesFilters, newIdentity = false } = asked;
  const ids = scenes.map(({ deliveryId }) => deliveryId);
  await freezePage(
    db,
    {
      ...operation,
      kind,
      newIdentity,
      selection,
      options: { takeOverScheduled: takesOverScheduled, matchFilter: matchesFilters },
    },
    WHOLE,
    { only: ids, ...(moved ? { planned: { ids, moved } } : {}) },
  );
  const { rows } = await db.query<FateRow>(
    `select coalesce(d.replay_of, e.delivery_id) as delivery_id, 'item' as became, exists (select from executions p where p.id = e.parent_id
        and p.state = 'superseded') as supersedes, false as joined, null as held_by
     from executions e join deliveries d on d.id = e.delivery_id where e.operation_id = $1
     union all
     select x.delivery_id, x.reason, false, x.joined_execution_id is not null, x.held_by::text
     from exclusions x where x.operation_id = $1`,
    [operation.id],
  );
  return new Map(
    rows.map((row) => [
      row.delivery_id,
      { became: row.became, supersedes: row.supersedes, joined: row.joined, heldBy: row.held_by },
    ]),
  );
}

test('for every delivery, holder, endpoint and request the freeze decides as the function does', async () => {
  const seen = new Set<string>();
  for (const request of REQUESTS) {
    const client = await store.pool.connect();
    try {
      await client.query('begin');
      const became = await frozen(client as unknown as Transaction, request);
      expect(became.size).toBe(scenes.length);
      for (const { deliveryId, facts, holderId } of scenes) {
        const told = 'filter' in request.selection ? facts : { ...facts, changedSince: false };
        const fate = retryFate(told, request.asked);
        const reason = exclusionOf(fate, request.asked);
        seen.add(`${fate.fate} ${reason}`);
        expect({ ...facts, ...request.asked, ...became.get(deliveryId) }).toEqual({
          ...facts,
          ...request.asked,
          became: reason ?? 'item',
          supersedes: fate.fate === 'will_be_sent' && fate.takesOver,
          joined: fate.fate === 'joins' || fate.fate === 'waits',
          heldBy: reason === 'held' ? holderId : null,
        });
      }
      await client.query('rollback');
    } finally {
      client.release();
    }
  }
  expect([...seen].sort()).toEqual([
    'cannot already_delivered',
    'cannot changed_since',
    'cannot endpoint_deleted',
    'cannot endpoint_disabled',
    'cannot payload_expired',
    'cannot suppressed_duplicate',
    'cannot undefined',
    'joins coalesced',
    'waits held',
    'waits outcome_unknown',
    'will_be_sent undefined',
  ]);
});

test('of a plan it excludes what would go to another address than was shown, and nothing for having changed', async () => {
  const endpoints = [...new Set(scenes.map(({ endpointId }) => endpointId))];
  const explicit = REQUESTS.filter(({ selection }) => 'deliveryIds' in selection);
  for (const request of explicit)
    for (const moved of [[], endpoints]) {
      const client = await store.pool.connect();
      try {
        await client.query('begin');
        const became = await frozen(client as unknown as Transaction, request, moved);
        for (const { deliveryId, facts } of scenes) {
          const told = { ...facts, changedSince: false, addressMoved: moved.length > 0 };
          const reason = exclusionOf(retryFate(told, request.asked), request.asked);
          expect({ ...told, became: became.get(deliveryId)?.became }).toEqual({
            ...told,
            became: reason ?? 'item',
          });
        }
        await client.query('rollback');
      } finally {
        client.release();
      }
    }
});
