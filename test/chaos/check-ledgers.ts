import { addsUp, COUNTED_PARTS, type OperationCounts } from '../../src/domain/operations/operation-counts.ts';
import { type Id, showId } from '../../src/domain/tenancy/typed-id.ts';
import type { TestPool } from '../support/store/test-database.ts';
import { undeliveredViolations } from '../support/store/undelivered.ts';
import type { ChaosReceiver } from './chaos-receivers.ts';

/** The receivers' own ledger compared with the service's; no faults may be found. */
export interface Findings {
  state: string;
  counts: OperationCounts;
  requests: number;
  attempts: number;
  leaseLost: number;
  /** Received and answered with success more than once: each must be excused by an attempt whose outcome nobody knew. */
  doubled: number;
  /** Findings that must never be, in words. */
  faults: string[];
}

/** The claims of a killed sender stay unsent for at least this long: its request's limit, and the margin. */
const QUIET_AFTER_LOSS_MS = 1_800;

type Item = {
  delivery_id: Id<'delivery'>;
  state: string;
  reason: string | null;
  handle: string;
  attempts: { number: number; outcome: string; fault_code: string | null }[];
};

/** Compares the receivers' requests with the service's records, item by item. */
export async function checkLedgers(
  pool: TestPool,
  operationId: string,
  receivers: ChaosReceiver[],
): Promise<Findings> {
  const { rows: operations } = await pool.query(
    `select o.state, o.report, ${COUNTED_PARTS.map((part) => `c.${part}`).join(', ')}, c.expected
     from operations o join operation_counts c on c.operation_id = o.id where o.id = $1`,
    [operationId],
  );
  const { rows: items } = await pool.query<Item>(
    `select e.delivery_id, e.state, e.reason, n.handle,
       coalesce((select json_agg(json_build_object('number', a.number, 'outcome', a.outcome, 'fault_code', a.fault_code)
         order by a.number) from attempts a where a.execution_id = e.id), '[]') as attempts
     from executions e join endpoints n on n.id = e.endpoint_id where e.operation_id = $1`,
    [operationId],
  );
  const { rows: left } = await pool.query('select count(*)::int as claims from claims');
  const { rows: planned } = await pool.query(
    `select count(*)::int as planned,
       (count(*) filter (where e.delivery_id is null and x.delivery_id is null))::int as lost
     from plan_pages g cross join lateral unnest(g.ids) as u(id)
     left join executions e on e.operation_id = g.operation_id and e.delivery_id = u.id
     left join exclusions x on x.operation_id = g.operation_id and x.delivery_id = u.id
     where g.operation_id = $1`,
    [operationId],
  );
  const operation = operations[0];
  const faults: string[] = [];
  const counts = Object.fromEntries(
    [...COUNTED_PARTS, 'expected'].map((part) => [part, operation[part]]),
  ) as OperationCounts;
  if (!addsUp(counts)) faults.push(`the counts do not add up: ${JSON.stringify(counts)}`);
  if (items.length !== counts.expected - counts.excluded)
    faults.push(`${items.length} items of ${counts.expected}`);
  if (planned[0].planned !== counts.expected || planned[0].lost > 0)
    faults.push(
      `of ${planned[0].planned} planned ${counts.expected} are accounted for, ${planned[0].lost} are lost`,
    );
  faults.push(...(await undeliveredViolations(pool)));
  if (left[0].claims > 0) faults.push(`${left[0].claims} claims are left`);
  if (JSON.stringify(operation.report.counts) !== JSON.stringify(sorted(operation.report.counts, counts)))
    faults.push('the report says something else than the counts');

  const received = new Map<string, { at: number; answered?: number }[]>();
  for (const { receiver, name } of receivers) {
    if (receiver.maxOverlap > 1)
      faults.push(`${name} got ${receiver.maxOverlap} requests of one delivery at once`);
    for (const { id = '', at, answered } of receiver.requests) {
      const seen = received.get(id) ?? [];
      seen.push({ at, ...(answered === undefined ? {} : { answered }) });
      received.set(id, seen);
    }
  }
  const delivers = new Map(receivers.map(({ name, delivers: does }) => [name, does]));
  let doubled = 0;
  for (const item of items) {
    const id = showId('delivery', item.delivery_id);
    const requests = received.get(id) ?? [];
    const taken = requests.filter(({ answered = 0 }) => answered >= 200 && answered < 300).length;
    const unknown = item.attempts.filter(({ outcome }) => outcome === 'ambiguous').length;
    const sent = item.attempts.filter(({ outcome }) => outcome !== 'unsent').length;
    const say = (what: string) =>
      faults.push(
        `${id} at ${item.handle}, ${item.state}: ${what} ${JSON.stringify({ requests, attempts: item.attempts })}`,
      );
    if (!['delivered', 'failed'].includes(item.state)) say('did not end');
    if (item.state === 'delivered' && taken === 0) say('was never taken');
    if (item.state === 'failed' && taken > 0) say('was taken');
    if (item.state === 'failed' && delivers.get(item.handle)) say('was lost');
    if (requests.length > sent) say('was sent more often than the ledger says');
    if (taken > 1) doubled += 1;
    if (taken - 1 > unknown) say('was doubled without an attempt whose outcome nobody knew');
    const lost = item.attempts.filter(({ fault_code }) => fault_code === 'lease_lost');
    const lastOfLost = requests[(lost[0]?.number ?? 0) - 1];
    const next = requests[lost[0]?.number ?? 0];
    if (lost.length === 1 && requests.length === item.attempts.length && lastOfLost && next)
      if (next.at - lastOfLost.at < QUIET_AFTER_LOSS_MS) say('was sent again before its lease had ended');
    if (faults.length > 20) break;
  }
  return {
    state: operation.state,
    counts,
    requests: receivers.reduce((sum, { receiver }) => sum + receiver.requests.length, 0),
    attempts: items.reduce((sum, { attempts }) => sum + attempts.length, 0),
    leaseLost: items.reduce(
      (sum, { attempts }) => sum + attempts.filter(({ fault_code }) => fault_code === 'lease_lost').length,
      0,
    ),
    doubled,
    faults,
  };
}

/** The same members in the same order, with the values of the second. */
function sorted(order: Record<string, number>, values: OperationCounts): Record<string, number> {
  return Object.fromEntries(Object.keys(order).map((part) => [part, values[part as keyof OperationCounts]]));
}
