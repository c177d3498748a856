import type { Ledger } from '../../support/store/ledger.ts';
import type { TestPool } from '../../support/store/test-database.ts';
import type { Scenario } from './scenario.ts';

/** A request as the receiver had it, in the order of arrival. */
export interface SmallRequest {
  /** The `webhook-id`. */
  id: string;
  /** The place of its endpoint in the scenario; that of the listener is -1. */
  endpoint: number;
  /** The number in its payload. */
  n: number | null;
  /** Which attempt of the delivery it says it is. */
  attempt: number;
  at: number;
  /** The status of its answer, once that was written as a whole. */
  answered?: number;
  /** Why its signature does not hold. */
  forged?: string;
}

/** A delivery of the ledger, and what its receiver knows it by. */
export interface SmallDelivery {
  id: string;
  webhookId: string;
  endpoint: number;
  n: number | null;
  orderKey: string | null;
  orderNumber: number | null;
  /** The delivery that it repeats under another identity. */
  replayOf: string | null;
}

/** A closed operation, as anybody can check it. */
export interface SmallReport {
  operationId: string;
  /** Why its report, its ledger or their signature do not hold. */
  fault?: string;
  /** The webhook-ids that its ledger says were delivered by it. */
  delivered: string[];
}

/** Everything that both sides say about one seed when it is over. */
export interface Evidence {
  scenario: Scenario;
  deliveries: SmallDelivery[];
  /** Executions that were there before anything was asked for. */
  before: string[];
  ledger: Ledger;
  requests: SmallRequest[];
  /** The most requests of one id at a time. */
  maxOverlap: number;
  /** Whether a sender was lost or cut off. */
  lost: boolean;
  /** Deliveries that were claimed when one was. */
  claimedAtKills: string[];
  /** The machine has kept a sender, or the database, from working for long: leases may have ended by that alone. */
  stalled: boolean;
  /** Operations that were asked for. */
  asked: number;
  /** Requests before anybody had approved or executed what was planned. */
  sentBefore: number;
  planned: { operationId: string; deliveryId: string }[];
  reports: SmallReport[];
  /** Operations of which the listener was told, each as often as it was told under another id. */
  told: string[];
  /** Contradictions that the store finds by itself. */
  ofStore: string[];
  /** What it was waiting for when time was over. */
  unfinished?: string;
}

/** The deliveries of the ledger with the number in their payload, by which the scenario knows them. */
export async function readDeliveries(
  pool: TestPool,
  endpointIds: readonly string[],
  showDelivery: (id: string) => string,
): Promise<SmallDelivery[]> {
  const { rows } = await pool.query(
    `select d.id, d.endpoint_id, (p.body::json ->> 'n')::int as n, d.order_key, d.order_number, d.replay_of
     from deliveries d left join payloads p on p.event_id = d.event_id order by d.id`,
  );
  return rows.map((row) => ({
    id: row.id,
    webhookId: showDelivery(row.id),
    endpoint: endpointIds.indexOf(row.endpoint_id),
    n: row.n,
    orderKey: row.order_key,
    orderNumber: row.order_number,
    replayOf: row.replay_of,
  }));
}

/** Deliveries that a sender has claimed at this moment. */
export async function readClaimed(pool: TestPool): Promise<string[]> {
  const { rows } = await pool.query(`select delivery_id from executions where state = 'sending'`);
  return rows.map(({ delivery_id }) => delivery_id);
}

/** The deliveries of each plan. */
export async function readPlanned(pool: TestPool): Promise<Evidence['planned']> {
  const { rows } = await pool.query(
    `select g.operation_id, u.id from plan_pages g join plans p on p.operation_id = g.operation_id and p.executed_at is not null
     cross join lateral unnest(g.ids) as u(id)`,
  );
  return rows.map(({ operation_id, id }) => ({ operationId: operation_id, deliveryId: id }));
}

/** Whether nothing is left to be done by itself: every operation has closed, and no delivery waits. */
export async function isAtRest(pool: TestPool): Promise<boolean> {
  const { rows } = await pool.query(
    `select (select count(*) from operations where closed_at is null)
       + (select count(*) from deliveries where state in ('pending', 'unknown')) as left`,
  );
  return Number(rows[0].left) === 0;
}

/** What is still open, in words. */
export async function whatIsOpen(pool: TestPool): Promise<string> {
  const { rows } = await pool.query(
    `select (select coalesce(json_agg(json_build_object('operation', o.id, 'kind', o.kind, 'state', o.state,
         'control', o.control, 'next', o.next_event_at, 'counts', c.*)), '[]')
         from operations o join operation_counts c on c.operation_id = o.id where o.closed_at is null) as operations,
       (select coalesce(json_agg(d.id), '[]') from deliveries d where d.state in ('pending', 'unknown')) as deliveries,
       now() as now`,
  );
  return JSON.stringify(rows[0]);
}
