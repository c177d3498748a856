import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from '@jest/globals';
import { nameOfWeek, weekOf } from '../../../src/domain/partitions/weeks.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { Parameters } from '../../../src/store/db/parameters.ts';
import type { Transaction } from '../../../src/store/db/queryable.ts';
import { endpointPresent } from '../../../src/store/figures/endpoint-latency.ts';
import { knownDeliveries } from '../../../src/store/imports/known-before.ts';
import { idHistories } from '../../../src/store/ingest/resends.ts';
import { operationBreakdown } from '../../../src/store/operations/operation-breakdown.ts';
import { pageOperationItems } from '../../../src/store/operations/operation-items.ts';
import { ledgerDetails } from '../../../src/store/proof/ledger-details.ts';
import { lookForRetry } from '../../../src/store/reading/advice-facts.ts';
import { findEvent, findPayload } from '../../../src/store/reading/event-reads.ts';
import { executionsOfDelivery } from '../../../src/store/reading/execution-reads.ts';
import { removeEvents } from '../../../src/store/retention/remove-events.ts';
import { selectionPage } from '../../../src/store/selection/selection-page.ts';
import { claimItems } from '../../../src/store/sending/claims.ts';
import { recordOutcomes } from '../../../src/store/settling/outcomes.ts';
import { erasePayload, expirePayloads } from '../../../src/store/settling/payload-retention.ts';
import { lockExpiredClaims } from '../../../src/store/settling/settlement.ts';
import { findReceipt } from '../../../src/surfaces/flowrelay/store/receipts.ts';
import { replayResults } from '../../../src/surfaces/flowrelay/store/replay-results.ts';
import { timelineSteps } from '../../../src/surfaces/flowrelay/store/timeline.ts';
import { findFileExecution } from '../../../src/surfaces/stedi/store/file-executions.ts';
import { seedFailures } from '../../support/engine/seed-failures.ts';
import { partitionsRead } from '../../support/partitions/partition-reads.ts';
import { partitionsOf, playWeeks, WEEK_MS } from '../../support/partitions/weeks.ts';
import { anyId, NO_ID } from '../../support/store/any-id.ts';
import { keepFor } from '../../support/store/retention.ts';
import { outcomeOf, type TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** A statement looks a payload or an attempt up in the partition of its week alone, however many partitions there are. */

const BACK = 14;
const OF_A_WEEK = 2_000;
/** The week whose rows are asked for. */
const AGO = 9;

const store = useStore();
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;
let events: Id<'event'>[];
let deliveries: Id<'delivery'>[];
let executions: Id<'execution'>[];
let operationId: Id<'operation'>;

beforeAll(async () => {
  const weeks = await playWeeks(store, BACK);
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant);
  for (let ago = BACK; ago >= 0; ago -= 1) {
    await weeks.idsAgo(ago * WEEK_MS);
    await seedFailures(store.pool, {
      tenantId: tenant.id,
      endpointIds: [endpointId],
      count: OF_A_WEEK,
      unanalyzed: true,
    });
  }
  await weeks.idsAgo(0);
  await store.rows(
    `update events set accepted_at = accepted_at - $2::int * interval '7 days' where id >= $1 and id < $3`,
    [
      ...[weekOf(Date.now() - AGO * WEEK_MS)].map(firstId),
      AGO,
      firstId(weekOf(Date.now() - (AGO - 1) * WEEK_MS)),
    ],
  );
  const rows = await store.rows(
    `select d.id, d.event_id, e.id as execution_id from events v join deliveries d on d.event_id = v.id
     join execution_records e on e.delivery_id = d.id
     where v.accepted_at < now() - $1::int * interval '7 days' + interval '1 hour' order by v.accepted_at limit 50`,
    [AGO],
  );
  deliveries = rows.map((row) => row.id);
  events = rows.map((row) => row.event_id);
  executions = rows.map((row) => row.execution_id);
  expect(events).toHaveLength(50);
  ({ operationId } = await store.retry(tenant, { deliveryIds: deliveries }));
  await store.select(operationId);
  await store.rows('vacuum analyze');
  expect(await partitionsOf(store.pool, 'attempts')).toHaveLength(BACK + 6);
});

function firstId(week: number): string {
  const hex = week.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

const claim = (tx: Transaction, token: string) =>
  claimItems(tx, operationId, token, [{ endpointId, count: 50 }], 60_000, 1e9);

/** Has every item of the operation fail. */
async function failAll(tx: Transaction): Promise<void> {
  const token = randomUUID();
  const { items } = await claim(tx, token);
  expect(items).toHaveLength(50);
  await recordOutcomes(
    tx,
    items.map((item) => outcomeOf(token, item, 500)),
  );
}

/** Each with the tables that it reads of the week. */
const READS: Record<string, (tx: Transaction) => Promise<unknown>> = {
  'a claim': (tx) => claim(tx, randomUUID()),
  'a record of outcomes': failAll,
  'a look at claims whose lease has ended': async (tx) => {
    await claim(tx, randomUUID());
    await tx.query(`update claims set lease_until = now() - interval '1 hour'`);
    await lockExpiredClaims(tx, 8);
  },
  'the payload of an event': (tx) => findPayload(tx, tenant.id, events[0] ?? NO_ID),
  'an event': (tx) => findEvent(tx, tenant.id, events[0] ?? NO_ID),
  'the executions of a delivery': (tx) => executionsOfDelivery(tx, tenant.id, deliveries[0] ?? NO_ID, 20),
  'advice on a delivery': (tx) => lookForRetry(tx, tenant.id, deliveries[0] ?? NO_ID),
  'what is known of ids that come again': (tx) => idHistories(tx, tenant.id, events),
  'what an import knows of deliveries': (tx) =>
    knownDeliveries(
      tx,
      events.map((eventId) => ({ eventId, endpointId })),
    ),
  'the removal of events': async (tx) => {
    await removeEvents(tx, tenant.id, { events: 50, deliveries: 500, waitMs: 1_000 });
  },
  // Behind those that are being retried, which keep theirs.
  'the expiry of payloads': (tx) => expirePayloads(tx, tenant.id, 150),
  'an erasure': (tx) => erasePayload(tx, tenant.id, events[0] ?? NO_ID),
  'the items of an operation': (tx) => pageOperationItems(tx, operationId, { limit: 50 }),
  'the causes of an operation': async (tx) => {
    await failAll(tx);
    await operationBreakdown(tx, operationId);
  },
  'the details of a ledger': (tx) => ledgerDetails(tx, operationId),
  'the results of replays': (tx) => replayResults(tx, tenant.id, [operationId]),
  'a receipt': (tx) => findReceipt(tx, tenant.id, anyId(events[0] ?? '')),
  'a timeline': (tx) => timelineSteps(tx, tenant.id, events[0] ?? NO_ID, 20),
  'a file execution': (tx) => findFileExecution(tx, tenant.id, executions[0] ?? NO_ID),
  'deliveries that an outage caught': async (tx) => {
    // Changed a moment ago, and no execution of it ended since the outage began.
    await tx.query('update deliveries set state_changed_at = now() where event_id = $1', [events[0]]);
    const p = new Parameters();
    const at = (ms: number) => ({ at: new Date(Date.now() + ms).toISOString(), inclusive: false });
    const filter = { eventIds: events.slice(0, 1), caughtBetween: { from: at(-600_000), to: at(600_000) } };
    return tx.query(
      selectionPage(tenant.id, { filter }, { after: { partition: 0 }, limit: 50 }, p),
      p.values,
    );
  },
};

test.each(Object.keys(READS).flatMap((read) => [[read, false] as const, [read, true] as const]))(
  '%s looks into the partitions of its weeks (for any parameters: %s)',
  async (read, generic) => {
    await keepFor(store, tenant, { eventRetentionDays: 40, payloadRetentionDays: 40 });
    // What was retried has its attempts of this week, too.
    const weeks = [weekOf(Date.now() - AGO * WEEK_MS), weekOf(Date.now())];
    const allowed = ['payloads', 'attempts'].flatMap((table) => weeks.map((week) => nameOfWeek(table, week)));
    const found = await partitionsRead(store.pool, (tx) => READS[read]?.(tx) ?? Promise.resolve(), {
      generic,
    });
    expect(found.filter((name) => !allowed.includes(name))).toEqual([]);
    // Nothing may look right for having looked nowhere.
    expect(found).not.toEqual([]);
  },
);

test('how an endpoint does at present is told by the attempts of its newest deliveries', async () => {
  const found = await partitionsRead(store.pool, (tx) => endpointPresent(tx, tenant.id, endpointId));
  expect(found.length).toBeLessThanOrEqual(2);
});
