import {
  addsUp,
  COUNTED_PARTS,
  type OperationCounts,
} from '../../../src/domain/operations/operation-counts.ts';
import type {
  Control,
  OperationKind,
  OperationState,
} from '../../../src/domain/operations/operation-state.ts';
import type { DeliveryState } from '../../../src/domain/sending/delivery-state.ts';
import {
  EXECUTION_TRANSITIONS,
  type ExecutionState,
  isOpen,
} from '../../../src/domain/sending/execution-state.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { onlyRow } from '../../../src/store/db/only-row.ts';
import { LIVE_LANE, type Queryable } from '../../../src/store/db/queryable.ts';
import { PLATFORM_TENANT } from '../../../src/store/tenancy/tenants.ts';
import { grouped } from '../grouped.ts';

type ExecutionRow = {
  id: Id<'execution'>;
  tenant_id: string;
  delivery_id: Id<'delivery'>;
  endpoint_id: string;
  operation_id: Id<'operation'> | null;
  parent_id: string | null;
  worked_by: string;
  state: ExecutionState;
  /** It has no outcome. */
  open: boolean;
  reason: string | null;
  attempts: number;
  may_have_arrived: boolean;
  lease_token: string | null;
  acknowledged_at: string | null;
  due_at: string;
  give_up_at: string;
};
type DeliveryRow = {
  id: Id<'delivery'>;
  tenant_id: string;
  event_id: Id<'event'>;
  state: DeliveryState;
  attempts: number;
  import_id: string | null;
};
type OperationRow = {
  id: Id<'operation'>;
  tenant_id: string;
  kind: OperationKind;
  state: OperationState;
  control: Control;
  selected_at: string | null;
  closed_at: string | null;
  report: { counts: OperationCounts } | null;
};
type ExclusionRow = {
  operation_id: string;
  delivery_id: Id<'delivery'>;
  reason: string;
  joined_execution_id: string | null;
  held_by: string | null;
};
type AttemptRow = {
  execution_id: string;
  number: number;
  outcome: string;
  fault_code: string | null;
  http_status: number | null;
  resend: boolean;
};
type ClaimRow = { token: string; worked_by: string; execution_ids: string[] };

/** Everything that the store says about deliveries at one moment, each list in the order of its ids. */
export type Ledger = {
  executions: ExecutionRow[];
  deliveries: DeliveryRow[];
  operations: OperationRow[];
  counts: (OperationCounts & { operation_id: Id<'operation'>; frozen: boolean })[];
  exclusions: ExclusionRow[];
  attempts: AttemptRow[];
  claims: ClaimRow[];
  events: { id: string; tenant_id: string }[];
};

/** Reads the whole ledger in one statement, that is at one moment. */
export async function readLedger(db: Queryable): Promise<Ledger> {
  const all = (table: string, order: string, columns = 't') =>
    `(select coalesce(json_agg(${columns} order by ${order}), '[]') from ${table} t)`;
  const answer = await db.query<{ ledger: Ledger }>({
    name: 'read-ledger',
    text: `select json_build_object(
      'executions', ${all('executions', 't.id')},
      'deliveries', ${all('deliveries', 't.id')},
      'operations', ${all('operations', 't.id')},
      'counts', ${all('operation_counts', 't.operation_id')},
      'exclusions', ${all('exclusions', 't.operation_id, t.delivery_id')},
      'attempts', ${all(
        'attempts',
        't.execution_id, t.number',
        `json_build_object('execution_id', t.execution_id,
        'number', t.number, 'outcome', t.outcome, 'fault_code', t.fault_code, 'http_status', t.http_status,
        'resend', t.resend)`,
      )},
      'claims', ${all('claims', 't.token')},
      'events', ${all('events', 't.id', `json_build_object('id', t.id, 'tenant_id', t.tenant_id)`)}) as ledger`,
  });
  return onlyRow(answer).ledger;
}

/** The contradictions between a ledger and the rules of the product; empty where all of them hold. */
export function violationsOf(ledger: Ledger): string[] {
  const index = indexOf(ledger);
  return [
    ...countViolations(ledger),
    ...ownerViolations(ledger, index),
    ...foldViolations(ledger, index),
    ...orphanViolations(ledger, index),
    ...attemptViolations(ledger, index),
    ...strandedViolations(ledger, index),
  ];
}

/**
 * The changes of a ledger that must never happen. Events may be removed, whole, where nothing holds them; after several
 * steps what was open before may have ended, and been removed then.
 */
export function forbiddenChanges(
  before: Ledger,
  after: Ledger,
  { severalSteps = false }: { severalSteps?: boolean } = {},
): string[] {
  const faults: string[] = [];
  const events = new Set(after.events.map(({ id }) => id));
  const stays = before.deliveries.filter((d) => events.has(d.event_id));
  const removed = new Set(before.deliveries.filter((d) => !events.has(d.event_id)).map(({ id }) => id));
  faults.push(...removedThoughHeld(before, after, removed, severalSteps));
  const deliveries = new Map(after.deliveries.map((d) => [d.id, d]));
  for (const d of stays)
    if (d.state === 'delivered' && deliveries.get(d.id)?.state !== 'delivered')
      faults.push(`delivery ${d.id} was delivered and is ${deliveries.get(d.id)?.state}`);
  const executions = new Map(after.executions.map((e) => [e.id, e]));
  for (const e of before.executions) {
    const now = executions.get(e.id);
    if (removed.has(e.delivery_id)) continue;
    if (!now) faults.push(`execution ${e.id} is gone`);
    else if (!reaches(e.state, now.state))
      faults.push(`execution ${e.id} went from ${e.state} to ${now.state}`);
    else if (now.operation_id !== e.operation_id) faults.push(`execution ${e.id} changed its operation`);
    else if (now.attempts < e.attempts) faults.push(`execution ${e.id} lost an attempt`);
  }
  const delivered = new Set(before.deliveries.filter((d) => d.state === 'delivered').map((d) => d.id));
  const attempts = new Map(before.executions.map((e) => [e.id, e.attempts]));
  // An acknowledgement and a freeze do not see each other: an item selected meanwhile is there, and is never sent.
  const unsent = new Map(
    before.executions.map((e) => [e.id, e.state === 'queued' || e.state === 'scheduled']),
  );
  const kinds = new Map(after.operations.map((o) => [o.id, o.kind]));
  for (const e of after.executions)
    if (
      (unsent.get(e.id) ?? true) &&
      delivered.has(e.delivery_id) &&
      (e.state === 'sending' || e.attempts > (attempts.get(e.id) ?? 0)) &&
      e.operation_id &&
      kinds.get(e.operation_id) === 'retry'
    )
      faults.push(`delivery ${e.delivery_id} was delivered and is sent by a retry`);
  const frozen = new Map(before.counts.filter((c) => c.frozen).map((c) => [c.operation_id, c]));
  for (const c of after.counts) {
    const was = frozen.get(c.operation_id);
    if (was && JSON.stringify(was) !== JSON.stringify(c))
      faults.push(`the frozen counts of operation ${c.operation_id} moved`);
  }
  return faults;
}

/** What of the removed deliveries was in the queue, or is named by an operation that has been open all the time. */
function removedThoughHeld(
  before: Ledger,
  after: Ledger,
  removed: Set<Id<'delivery'>>,
  severalSteps: boolean,
): string[] {
  if (removed.size === 0) return [];
  const open = new Set<string>(after.operations.filter((o) => !o.closed_at).map(({ id }) => id));
  const items = before.executions.filter((e) => removed.has(e.delivery_id));
  return [
    ...items
      .filter((e) => e.open && !severalSteps)
      .map((e) => `execution ${e.id} was in the queue and its event is gone`),
    ...items
      .filter((e) => e.operation_id && open.has(e.operation_id))
      .map((e) => `item ${e.id} is gone and its operation is open`),
    ...before.exclusions
      .filter((x) => removed.has(x.delivery_id) && open.has(x.operation_id))
      .map((x) => `exclusion of ${x.delivery_id} is gone and its operation is open`),
  ];
}

/** Recounts the parts of an operation from its executions and exclusions. */
export function recount({ executions, exclusions }: Ledger, operationId: string): OperationCounts {
  const own = executions.filter((e) => e.operation_id === operationId);
  const excluded = exclusions.filter((x) => x.operation_id === operationId).length;
  const parts = COUNTED_PARTS.map((part) => [
    part,
    part === 'excluded' ? excluded : own.filter((e) => e.state === part).length,
  ]);
  return { ...Object.fromEntries(parts), expected: own.length + excluded };
}

type Index = {
  executions: Map<string, ExecutionRow>;
  deliveries: Map<string, DeliveryRow>;
  operations: Map<string, OperationRow>;
  byDelivery: Map<string, ExecutionRow[]>;
  children: Map<string, ExecutionRow[]>;
  attempts: Map<string, AttemptRow[]>;
};

function indexOf(ledger: Ledger): Index {
  return {
    executions: new Map(ledger.executions.map((e) => [e.id, e])),
    deliveries: new Map(ledger.deliveries.map((d) => [d.id, d])),
    operations: new Map(ledger.operations.map((o) => [o.id, o])),
    byDelivery: grouped(ledger.executions, (e) => e.delivery_id),
    children: grouped(
      ledger.executions.filter((e) => e.parent_id),
      (e) => e.parent_id ?? '',
    ),
    attempts: grouped(ledger.attempts, (a) => a.execution_id),
  };
}

/** One that was cancelled before its first attempt gives its parent's child slot back. */
function keepsSlot(e: ExecutionRow): boolean {
  return !(e.state === 'cancelled' && e.attempts === 0);
}

/** Rule 5, and the counts as a recount of the ledger. */
function countViolations(ledger: Ledger): string[] {
  const faults: string[] = [];
  const reports = new Map(ledger.operations.map((o) => [o.id, o.report]));
  const items = new Set(ledger.executions.map((e) => `${e.operation_id}/${e.delivery_id}`));
  for (const x of ledger.exclusions)
    if (items.has(`${x.operation_id}/${x.delivery_id}`))
      faults.push(`delivery ${x.delivery_id} is both item and exclusion of operation ${x.operation_id}`);
  for (const { operation_id: id, frozen, ...counts } of ledger.counts) {
    if (!addsUp(counts))
      faults.push(`the counts of operation ${id} do not add up: ${JSON.stringify(counts)}`);
    const report = reports.get(id);
    if (frozen !== !!report) faults.push(`operation ${id} is frozen without a report, or the reverse`);
    const truth = report ? report.counts : recount(ledger, id);
    for (const [part, n] of Object.entries(truth))
      if (counts[part as keyof OperationCounts] !== n)
        faults.push(
          `operation ${id} counts ${counts[part as keyof OperationCounts]} ${part}, there are ${n}`,
        );
  }
  return faults;
}

/** Rule 2, the child slots, and that the executions being sent are exactly those of the claims. */
function ownerViolations(ledger: Ledger, { byDelivery, children, operations }: Index): string[] {
  const faults: string[] = [];
  for (const [id, executions] of byDelivery) {
    const open = executions.filter((e) => isOpen(e.state));
    if (open.length > 1) faults.push(`delivery ${id} has ${open.length} open executions`);
  }
  for (const [id, all] of children)
    if (all.filter(keepsSlot).length > 1) faults.push(`execution ${id} has two children`);
  const claimed = new Map(
    ledger.claims.flatMap(({ token, worked_by, execution_ids }) =>
      execution_ids.map((id) => [`${token}/${id}`, worked_by] as const),
    ),
  );
  for (const e of ledger.executions) {
    if (e.open !== isOpen(e.state))
      faults.push(`execution ${e.id} has an outcome beside its row in the queue, or neither`);
    if (e.state === 'sending' && claimed.get(`${e.lease_token}/${e.id}`) !== e.worked_by)
      faults.push(`execution ${e.id} is sending under no claim`);
    if (e.state !== 'sending' && e.lease_token)
      faults.push(`execution ${e.id} holds a lease and is ${e.state}`);
    if (!isOpen(e.state) || e.worked_by === LIVE_LANE) continue;
    const owner = operations.get(e.worked_by);
    if (!owner || owner.closed_at) faults.push(`execution ${e.id} is ${e.state} and nobody works it`);
  }
  return faults;
}

/** The rule of docs/concepts.md (state of a delivery), written a second time: SQL folds by the same words, not by this code. */
function foldOf(executions: ExecutionRow[], { children }: Index): DeliveryState {
  if (executions.some((e) => e.state === 'delivered')) return 'delivered';
  const newest = executions.findLast((e) => e.attempts > 0);
  if (newest) {
    if (newest.state === 'superseded') return hasOpenDescendant(newest, children) ? 'pending' : 'failed';
    if (newest.state === 'unknown' || newest.state === 'ignored') return newest.state;
    return isOpen(newest.state) ? 'pending' : 'failed';
  }
  const untried = executions.findLast((e) => e.state !== 'superseded');
  if (!untried || isOpen(untried.state)) return 'pending';
  return untried.state as DeliveryState;
}

function hasOpenDescendant(of: ExecutionRow, children: Index['children']): boolean {
  return (children.get(of.id) ?? []).some(
    (child) => isOpen(child.state) || hasOpenDescendant(child, children),
  );
}

function foldViolations(ledger: Ledger, index: Index): string[] {
  return ledger.deliveries.flatMap(({ id, state }) => {
    const folded = foldOf(index.byDelivery.get(id) ?? [], index);
    return folded === state ? [] : [`delivery ${id} is ${state} and folds to ${folded}`];
  });
}

/** Violations that the missing foreign keys would find, and rows that cross from one tenant to another. */
function orphanViolations(ledger: Ledger, { executions, deliveries, operations }: Index): string[] {
  const faults: string[] = [];
  const events = new Map(ledger.events.map((v) => [v.id, v]));
  const need = (found: { tenant_id: string } | undefined, tenantId: string | undefined, what: string) => {
    if (!found) faults.push(`${what} is an orphan`);
    else if (tenantId !== undefined && found.tenant_id !== tenantId) faults.push(`${what} crosses tenants`);
  };
  for (const d of ledger.deliveries) need(events.get(d.event_id), d.tenant_id, `delivery ${d.id}`);
  for (const e of ledger.executions) {
    need(deliveries.get(e.delivery_id), e.tenant_id, `execution ${e.id}`);
    if (e.operation_id) {
      const operation = operations.get(e.operation_id);
      const spans = operation?.tenant_id === PLATFORM_TENANT.id;
      need(operation, spans ? undefined : e.tenant_id, `item ${e.id}`);
    }
    if (e.parent_id) {
      const parent = executions.get(e.parent_id);
      need(parent, e.tenant_id, `child ${e.id}`);
      if (parent && parent.delivery_id !== e.delivery_id) faults.push(`child ${e.id} is of another delivery`);
      // Only one that has a parent itself gives its slot back; a first delivery that was cancelled is retried as its child.
      if (parent && (isOpen(parent.state) || (parent.parent_id && !keepsSlot(parent))))
        faults.push(`child ${e.id} has a parent that is ${parent.state}`);
    }
  }
  const withExecution = new Set(ledger.executions.map((e) => e.delivery_id));
  for (const d of ledger.deliveries)
    if (!withExecution.has(d.id)) faults.push(`delivery ${d.id} has no execution`);
  for (const x of ledger.exclusions) {
    const owner = operations.get(x.operation_id)?.tenant_id;
    // A delivery that the platform selects keeps its tenant.
    const tenantId = owner === PLATFORM_TENANT.id ? deliveries.get(x.delivery_id)?.tenant_id : owner;
    need(deliveries.get(x.delivery_id), tenantId, `exclusion of ${x.delivery_id}`);
    if (x.joined_execution_id)
      need(executions.get(x.joined_execution_id), tenantId, `exclusion of ${x.delivery_id}`);
    if (x.held_by)
      need(
        operations.get(x.held_by),
        owner === PLATFORM_TENANT.id ? undefined : tenantId,
        `exclusion of ${x.delivery_id}`,
      );
  }
  for (const a of ledger.attempts)
    need(executions.get(a.execution_id), undefined, `attempt of ${a.execution_id}`);
  return faults;
}

/** Attempts are numbered without holes; a restored execution goes on where the one it stands for was taken over. */
function attemptViolations(ledger: Ledger, index: Index): string[] {
  const faults: string[] = [];
  for (const e of ledger.executions) {
    const own = index.attempts.get(e.id) ?? [];
    const before = standsFor(e, index);
    const carried = before?.attempts ?? 0;
    if (own.some((a, i) => a.number !== carried + i + 1) || e.attempts !== carried + own.length)
      faults.push(
        `execution ${e.id} has ${e.attempts} attempts, ${carried} carried, ${own.map((a) => a.number)}`,
      );
    const arrived = (before?.may_have_arrived ?? false) || own.some((a) => a.outcome === 'ambiguous');
    // Of what was imported nobody may know an attempt, and so nobody whether it has arrived.
    const imported = !e.parent_id && Boolean(index.deliveries.get(e.delivery_id)?.import_id);
    const nobodyKnows = imported && e.may_have_arrived;
    if (e.may_have_arrived !== arrived && !nobodyKnows)
      faults.push(`execution ${e.id} may have arrived: ${arrived}`);
    let earlier = before?.may_have_arrived ?? false;
    for (const a of own) {
      if (a.resend !== earlier) faults.push(`attempt ${a.number} of ${e.id} is a resend: ${earlier}`);
      earlier ||= a.outcome === 'ambiguous';
    }
    if (
      e.state === 'delivered' &&
      e.reason !== 'resolved' &&
      !(e.reason === 'acknowledged' && e.acknowledged_at) &&
      own.length > 0 &&
      own.at(-1)?.outcome !== 'delivered' &&
      // What was imported is numbered as it was told, which is not always how it happened.
      !(imported && own.some((a) => a.outcome === 'delivered'))
    )
      if (own.at(-1)?.outcome !== 'ambiguous') faults.push(`execution ${e.id} is delivered and was not`);
    if (own.some((a) => a.outcome === 'delivered') && e.state !== 'delivered')
      faults.push(`execution ${e.id} was delivered and is ${e.state}`);
  }
  for (const d of ledger.deliveries) {
    const all = (index.byDelivery.get(d.id) ?? []).reduce(
      (n, e) => n + (index.attempts.get(e.id)?.length ?? 0),
      0,
    );
    if (d.attempts !== all) faults.push(`delivery ${d.id} counts ${d.attempts} attempts of ${all}`);
  }
  return faults;
}

/** The execution of no operation that a child of no operation was made for; only a cancel makes such a child. */
function standsFor(e: ExecutionRow, { executions }: Index): ExecutionRow | undefined {
  if (e.operation_id || !e.parent_id) return undefined;
  return laneBehind(executions.get(e.parent_id), executions);
}

/** The execution of no operation that is reached through superseded ones that were never sent. */
function laneBehind(
  from: ExecutionRow | undefined,
  executions: Map<string, ExecutionRow>,
): ExecutionRow | undefined {
  let at = from;
  while (at?.state === 'superseded') {
    if (!at.operation_id) return at;
    if (at.attempts > 0) return undefined;
    at = at.parent_id ? executions.get(at.parent_id) : undefined;
  }
  return undefined;
}

/** Cancelling never strands a delivery: an item that had taken over the live lane's work leaves that work behind. */
function strandedViolations(ledger: Ledger, { executions, children }: Index): string[] {
  const faults: string[] = [];
  for (const e of ledger.executions) {
    const parent = e.parent_id ? executions.get(e.parent_id) : undefined;
    if (keepsSlot(e) || !parent || !laneBehind(parent, executions)) continue;
    if (!(children.get(parent.id) ?? []).some(keepsSlot))
      faults.push(`delivery ${e.delivery_id} was taken from the live lane, cancelled, and is stranded`);
  }
  // A superseded one is the parent of its successor, save where that gave its slot back.
  for (const e of ledger.executions)
    if (e.state === 'superseded' && !children.has(e.id))
      faults.push(`execution ${e.id} was superseded by nothing`);
  return faults;
}

const REACHED = new Map<ExecutionState, Set<ExecutionState>>();

/** Whether the transition table leads from one state to another, by any number of steps. */
function reaches(from: ExecutionState, to: ExecutionState): boolean {
  let reached = REACHED.get(from);
  if (!reached) {
    reached = new Set([from]);
    for (const state of reached) for (const next of EXECUTION_TRANSITIONS[state]) reached.add(next);
    REACHED.set(from, reached);
  }
  return reached.has(to);
}
