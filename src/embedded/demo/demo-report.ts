import { COUNTED_PARTS, type OperationCounts } from '../../domain/operations/operation-counts.ts';
import { DEMO_ENDPOINTS, DEMO_HANDLES, type DemoHandle } from './demo-endpoints.ts';

/** The closure report, as far as the demo reads it. */
export type ClosureReport = {
  operationId: string;
  state: string;
  createdAt: string;
  closedAt: string;
  counts: OperationCounts;
  exclusions: Record<string, number>;
  attempts: number;
  firstAttemptAt: string | null;
  lastAttemptAt: string | null;
};

/** A delivery that failed, as far as the demo reads it. */
export type FailedDelivery = {
  id: string;
  endpointId: string;
  event: { type: string };
  faultCode: string | null;
  httpStatus: number | null;
};

/** Parts of the equation that are shown even when nothing is in them. */
const ALWAYS_SHOWN = ['delivered', 'failed', 'excluded'];

/** Whole numbers as people read them. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** The failures of the outage, endpoint by endpoint, with a sum. */
export function outageTable(
  failed: readonly FailedDelivery[],
  endpointIds: Readonly<Record<DemoHandle, string>>,
): string[] {
  const rows = DEMO_HANDLES.map((handle) => {
    const own = failed.filter((delivery) => delivery.endpointId === endpointIds[handle]);
    return [handle, DEMO_ENDPOINTS[handle].outage, faultsOf(own), count(own.length)];
  });
  const sum = ['all', '', '', count(failed.length)];
  return table([['endpoint', 'its receiver', 'recorded as', 'failed'], ...rows, sum]);
}

/** The closure report: the equation line by line, then its attempts, time and rate. */
export function closureTable(report: ClosureReport): string[] {
  const { counts, exclusions } = report;
  const parts = COUNTED_PARTS.filter((part) => counts[part] > 0 || ALWAYS_SHOWN.includes(part));
  const spanMs =
    report.firstAttemptAt === null || report.lastAttemptAt === null
      ? 0
      : Date.parse(report.lastAttemptAt) - Date.parse(report.firstAttemptAt);
  const reasons = Object.entries(exclusions)
    .filter(([, excluded]) => excluded > 0)
    .map(([reason, excluded]) => `${reason} ${count(excluded)}`);
  const equation = [
    ['expected', count(counts.expected)],
    ...parts.map((part, index) => [`${index === 0 ? '=' : '+'} ${part}`, count(counts[part])]),
  ];
  const facts = [
    ['attempts', count(report.attempts)],
    ['time', `${((Date.parse(report.closedAt) - Date.parse(report.createdAt)) / 1_000).toFixed(1)} s`],
    ['rate', spanMs > 0 ? `${count((report.attempts * 1_000) / spanMs)} requests a second` : '–'],
  ];
  return [
    ...table(equation),
    ...(reasons.length === 0 ? [] : [`excluded: ${reasons.join(', ')}`]),
    '',
    ...table(facts),
  ];
}

/** One kind of failure that a retry did not heal. */
export type RemainingFailure = {
  endpoint: string;
  count: number;
  fault: string;
  permanent: boolean;
  eventTypes: string[];
  answer: string | undefined;
  /** One delivery of this kind. */
  exampleId: string;
};

/** The failures that remain, and what to do about them. */
export function remainingLines(failures: readonly RemainingFailure[], operationId: string): string[] {
  if (failures.length === 0) return ['Nothing is failing any more.'];
  const lines = failures.flatMap((failure) => [
    `  ${count(failure.count)} at ${failure.endpoint}: ${failure.fault}${failure.answer === undefined ? '' : ` ${failure.answer}`}, events of type ${failure.eventTypes.join(', ')}`,
    `  Next step: ${nextStep(failure)}`,
  ]);
  const again = JSON.stringify({ select: { remainderOf: operationId } });
  return [
    'Still failing:',
    ...lines,
    `  Then retry what is left, with an Idempotency-Key: POST /api/v1/retries ${again}`,
  ];
}

function nextStep({ permanent, endpoint, eventTypes }: RemainingFailure): string {
  const types = eventTypes.join(', ');
  return permanent
    ? `no retry helps until ${endpoint} accepts ${types}; ask its owner, or leave it out of the eventTypes.`
    : `the cause may have passed by now; look at the attempts and whether ${endpoint} is well.`;
}

/** What is left to whoever opens the console. */
export function leftLines(endpoint: string, left: number): string[] {
  return [
    `${endpoint} was protected: what waited for it went out by itself when it was back. Redrive has planned a retry of the ${count(left)}`,
    'that had failed before, and leaves it to you: open the console, look at the plan, run it, and check its report.',
  ];
}

/** Where everything is. */
export function addressLines(addresses: {
  url: string;
  uiUrl?: string | undefined;
  logFile: string;
}): string[] {
  return table([
    ['API', `${addresses.url}/api/v1`],
    ['console', `${addresses.url}/console`],
    ['docs', `${addresses.url}/docs`],
    ['metrics', `${addresses.url}/metrics`],
    ...(addresses.uiUrl === undefined ? [] : [['Temporal', addresses.uiUrl]]),
    ['log', addresses.logFile],
  ]);
}

/** Something to paste into a shell, and what it does. */
export type Command = { what: string; command: string };

/** Three commands to paste. */
export function curlLines(asked: {
  url: string;
  key: string;
  operationId: string;
  deliveryId: string;
  mode: 'retry' | 'replay';
}): Command[] {
  const curl = `curl -s -w '\\n' -H 'Authorization: Bearer ${asked.key}'`;
  const api = `${asked.url}/api/v1`;
  const body = JSON.stringify({ select: { deliveryIds: [asked.deliveryId] }, mode: asked.mode });
  return [
    { what: 'list failed deliveries', command: `${curl} '${api}/deliveries?state=failed&limit=3'` },
    { what: 'look at the operation', command: `${curl} '${api}/retries/${asked.operationId}'` },
    {
      what: `${asked.mode} one delivery`,
      command: `${curl} -H 'Content-Type: application/json' -d '${body}' '${api}/retries'`,
    },
  ];
}

/** The short name of a failure. */
export function faultOf({ faultCode, httpStatus }: Pick<FailedDelivery, 'faultCode' | 'httpStatus'>): string {
  return httpStatus === null ? (faultCode ?? 'unknown').replaceAll('_', ' ') : `HTTP ${httpStatus}`;
}

function faultsOf(failed: readonly FailedDelivery[]): string {
  const faults = [...new Set(failed.map(faultOf))];
  return faults.length === 0 ? '–' : faults.join(', ');
}

/** Columns side by side; those that hold numbers only, but for a heading, are aligned to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  const numeric = widths.map((_, column) => rows.slice(1).every((row) => /^[\d,]+$/.test(row[column] ?? '')));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        numeric[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('   ')
      .trimEnd(),
  );
}
