import { addsUp } from '../../../src/domain/operations/operation-counts.ts';
import { OPERATION_ENDS } from '../../../src/domain/operations/operation-state.ts';
import { grouped } from '../../support/grouped.ts';
import { type Ledger, violationsOf } from '../../support/store/ledger.ts';
import type { Evidence, SmallDelivery, SmallRequest } from './evidence.ts';
import { fateOf } from './scenario.ts';

type Execution = Ledger['executions'][number];
type Attempt = Ledger['attempts'][number];

/** One delivery, as both sides have it. */
interface Both {
  delivery: SmallDelivery;
  state: string;
  requests: SmallRequest[];
  /** Without those that were there before. */
  executions: Execution[];
  attempts: Attempt[];
}

/** Compares what the receiver had with what the ledger says, and with what had to come of it; nothing may be found. */
export function faultsOf(evidence: Evidence): string[] {
  const all = bothSides(evidence);
  return [
    ...(evidence.unfinished === undefined ? [] : [`it did not come to its end: ${evidence.unfinished}`]),
    ...evidence.ofStore,
    ...violationsOf(evidence.ledger),
    ...operationFaults(evidence),
    ...requestFaults(evidence),
    ...all.flatMap((both) => deliveryFaults(evidence, both).map((fault) => `${fault}: ${inWords(both)}`)),
    ...orderFaults(evidence, all),
  ];
}

function bothSides(evidence: Evidence): Both[] {
  const before = new Set(evidence.before);
  const requests = grouped(evidence.requests, ({ id }) => id);
  const executions = grouped(
    evidence.ledger.executions.filter(({ id }) => !before.has(id)),
    (execution) => execution.delivery_id as string,
  );
  const attempts = grouped(evidence.ledger.attempts, (attempt) => attempt.execution_id);
  const states = new Map(evidence.ledger.deliveries.map(({ id, state }) => [id as string, state]));
  return evidence.deliveries.map((delivery) => {
    const own = executions.get(delivery.id) ?? [];
    return {
      delivery,
      state: states.get(delivery.id) ?? 'absent',
      requests: requests.get(delivery.webhookId) ?? [],
      executions: own,
      attempts: own.flatMap(({ id }) => attempts.get(id) ?? []),
    };
  });
}

function inWords({ delivery, state, requests, attempts }: Both): string {
  const told = {
    requests: requests.map(({ attempt, answered, at }) => ({ attempt, answered, at })),
    attempts: attempts.map(({ number, outcome, fault_code, http_status }) => [
      number,
      outcome,
      fault_code,
      http_status,
    ]),
  };
  return `${delivery.webhookId} (e${delivery.endpoint}, n ${delivery.n}, ${state}) ${JSON.stringify(told)}`;
}

/** Every operation that was asked for is there once, has ended, adds up, says what was sent, and proves it. */
function operationFaults({
  ledger,
  asked,
  reports,
  sentBefore,
  planned,
  told,
  scenario,
}: Evidence): string[] {
  const faults: string[] = [];
  if (ledger.operations.length !== asked)
    faults.push(`${asked} operations were asked for, and there are ${ledger.operations.length}`);
  if (sentBefore > 0) faults.push(`${sentBefore} requests went out before anybody had approved`);
  const counts = new Map(ledger.counts.map((row) => [row.operation_id, row]));
  for (const operation of ledger.operations) {
    const { state } = operation;
    const { operation_id: _, frozen, ...parts } = counts.get(operation.id) ?? {};
    const own = parts as Parameters<typeof addsUp>[0];
    if (!(OPERATION_ENDS as readonly string[]).includes(state))
      faults.push(`operation ${operation.id} has not ended: ${state}`);
    if (!frozen || !addsUp(own)) faults.push(`operation ${operation.id} does not add up`);
    const { cancelled, failed, ignored, unknown } = own;
    if (state === 'completed' && cancelled + failed + ignored + unknown > 0)
      faults.push(`operation ${operation.id} is completed, and has not delivered everything`);
    if (!reports.some(({ operationId }) => operationId === operation.id))
      faults.push(`operation ${operation.id} has no report`);
  }
  for (const { operationId, fault } of reports)
    if (fault !== undefined) faults.push(`the report of ${operationId} does not hold: ${fault}`);
  const accounted = new Set(
    [...ledger.executions, ...ledger.exclusions].map((row) => `${row.operation_id}/${row.delivery_id}`),
  );
  const isNew = scenario.recovery === 'new_identity';
  const lost = planned.filter((row) => !accounted.has(`${row.operationId}/${row.deliveryId}`));
  if (!isNew && lost.length > 0)
    faults.push(`${lost.length} of what was planned is neither item nor excluded`);
  const closed = ledger.operations.map(({ id }) => id as string).sort();
  if (JSON.stringify([...told].sort()) !== JSON.stringify(closed))
    faults.push(`${closed.length} operations have closed, and the listener was told of ${told.length}`);
  return faults;
}

/** Every request is of a delivery of the ledger, signed, and alone. */
function requestFaults({ requests, deliveries, maxOverlap, reports }: Evidence): string[] {
  const faults: string[] = [];
  const known = new Map(deliveries.map((delivery) => [delivery.webhookId, delivery]));
  for (const { id, endpoint, n, forged } of requests) {
    const delivery = known.get(id);
    if (!delivery) faults.push(`${id} was sent, and the ledger does not know it`);
    else if (delivery.endpoint !== endpoint || delivery.n !== n)
      faults.push(`${id} came with n ${n} to e${endpoint}, and is n ${delivery.n} of e${delivery.endpoint}`);
    if (forged !== undefined) faults.push(`${id} is not signed as it has to be: ${forged}`);
  }
  if (maxOverlap > 1) faults.push(`${maxOverlap} requests of one delivery came at once`);
  const taken = new Set(requests.filter(isTaken).map(({ id }) => id));
  for (const { operationId, delivered } of reports)
    for (const id of delivered)
      if (!taken.has(id))
        faults.push(`the ledger of ${operationId} says that ${id} was delivered, and nobody took it`);
  return faults;
}

/**
 * Requests come in the order of their attempts, each once. What a sender had written before it was lost, or gave up without
 * an answer, may be read later, by a receiver that had no time meanwhile.
 */
function orderOfAttempts(requests: SmallRequest[], attempts: Attempt[]): string[] {
  const numbers = requests.map(({ attempt }) => attempt);
  const late = requests.filter(({ attempt }, at) =>
    numbers.slice(0, at).some((earlier) => earlier > attempt),
  );
  const mayBeLate = ({ attempt }: SmallRequest) =>
    attempts.some(({ number, outcome }) => number === attempt && outcome === 'ambiguous');
  return new Set(numbers).size < numbers.length || !late.every(mayBeLate)
    ? [`came as attempt ${numbers.join(', ')}`]
    : [];
}

function isTaken({ answered = 0 }: SmallRequest): boolean {
  return answered >= 200 && answered < 300;
}

/** Nothing is lost, nothing is doubled unknowingly, and nothing counts as sent that was not. */
function deliveryFaults(
  evidence: Evidence,
  { delivery, state, requests, executions, attempts }: Both,
): string[] {
  const faults = orderOfAttempts(requests, attempts);
  const { scenario } = evidence;
  const taken = requests.filter(isTaken).length;
  const sent = attempts.filter(({ outcome }) => outcome !== 'unsent').length;
  const ambiguous = attempts.filter(({ outcome }) => outcome === 'ambiguous').length;
  const delivered = executions.filter((execution) => execution.state === 'delivered').length;
  if (executions.some((execution) => execution.lease_token !== null)) faults.push('is claimed still');
  if (requests.length > sent) faults.push('was sent more often than the ledger says');
  for (const [status, answers] of grouped(
    requests.filter(({ answered }) => answered !== undefined),
    ({ answered }) => answered,
  )) {
    const recorded = attempts.filter(({ http_status }) => http_status === status).length;
    if (answers.length > recorded + ambiguous)
      faults.push(`has answers ${status} that the ledger does not have`);
  }
  for (const [status, recorded] of grouped(
    attempts.filter(({ http_status }) => http_status !== null),
    ({ http_status }) => http_status,
  ))
    if (recorded.length > requests.filter(({ answered }) => answered === status).length)
      faults.push(`has answers ${status} in the ledger that nobody gave`);
  if (taken > delivered + ambiguous) faults.push('was doubled without an attempt whose outcome nobody knew');
  const stranded = !evidence.stalled && attempts.some(({ fault_code }) => fault_code === 'lease_lost');
  if (stranded && !evidence.lost) faults.push('lost its sender, and none was lost');
  else if (stranded && !evidence.claimedAtKills.includes(delivery.id))
    faults.push('lost its sender, and was claimed at no kill');

  // A repeat that was suppressed, and what tells of operations, have no fate.
  if (delivery.n === null)
    return delivery.endpoint >= 0 && requests.length > 0 ? [...faults, 'was suppressed, and sent'] : faults;
  const isOriginal = scenario.recovery === 'new_identity' && delivery.replayOf === null;
  if (isOriginal && executions.length === 0) {
    const repeats = evidence.deliveries.filter(({ replayOf }) => replayOf === delivery.id).length;
    if (repeats !== 1) faults.push(`was repeated under ${repeats} identities`);
    return faults;
  }
  const { last } = fateOf(scenario, delivery.endpoint, delivery.n);
  if (last === 'ok' && taken === 0) faults.push('was lost: its receiver never took it');
  if (last === 'ok' && state !== 'delivered') faults.push('was taken in the end, and is not delivered');
  if (last === 'refuse' && state !== 'failed') faults.push('was refused for good, and has not failed');
  return faults;
}

/**
 * What has a key comes after the end of what was before it: where a failure blocks always, and where it is passed, in seeds
 * that send nothing again.
 */
function orderFaults({ scenario, requests }: Evidence, all: Both[]): string[] {
  const faults: string[] = [];
  const sentAgain = scenario.beside.some(
    ({ do: what }) => what === 'single' || what === 'again' || what === 'cancel',
  );
  const place = new Map(requests.map((request, at) => [request, at]));
  const placeOf = (request: SmallRequest | undefined) =>
    request === undefined ? Number.POSITIVE_INFINITY : (place.get(request) ?? Number.POSITIVE_INFINITY);
  const ordered = all.filter(({ delivery }) => {
    const order = scenario.endpoints[delivery.endpoint]?.ordered;
    return delivery.orderKey !== null && order && (order.onExhausted === 'block' || !sentAgain);
  });
  for (const queue of grouped(
    ordered,
    ({ delivery }) => `${delivery.endpoint}/${delivery.orderKey}`,
  ).values()) {
    queue.sort((a, b) => Number(a.delivery.orderNumber) - Number(b.delivery.orderNumber));
    queue.forEach((earlier, at) => {
      const ended = placeOf(earlier.requests.find((request) => isTaken(request) || request.answered === 422));
      const later = queue[at + 1];
      if (later && placeOf(later.requests[0]) < ended)
        faults.push(`came before ${inWords(earlier)}: ${inWords(later)}`);
    });
  }
  return faults;
}
