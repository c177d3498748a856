import { setTimeout as delay } from 'node:timers/promises';
import type { OperationCounts } from '../../domain/operations/operation-counts.ts';
import { hasEnded, type OperationState } from '../../domain/operations/operation-state.ts';
import type { Step } from '../steps.ts';
import { allPages, createDemoClient, type DemoClient, type Page } from './demo-client.ts';
import {
  DEMO_ENDPOINTS,
  DEMO_HANDLES,
  type DemoHandle,
  demoUrl,
  LEFT_TO_THE_CONSOLE,
} from './demo-endpoints.ts';
import { demoEvents, inCalls, readExamples } from './demo-events.ts';
import { DEMO_KEYS, type DemoKey } from './demo-keys.ts';
import { DemoProblem } from './demo-problem.ts';
import { type DemoOutput, showProgress } from './demo-progress.ts';
import type { ClosureReport, FailedDelivery } from './demo-report.ts';

/** Handle of the demo's tenant. */
export const DEMO_TENANT = 'demo';

/** Where the demo plays: its tenant's own view of the API, and its endpoints. */
export type DemoStage = {
  client: DemoClient;
  /** The tenant's API key. */
  key: string;
  endpointIds: Readonly<Record<DemoHandle, string>>;
  signal: AbortSignal;
};

const BATCHES = ['demo-monday', 'demo-tuesday', 'demo-wednesday'];
const EVENTS_PER_CALL = 250;
const POLL_MS = 300;
const READY_ANSWERS_WITHIN_MS = 5_000;
const READY_WITHIN_MS = 30_000;
const OUTAGE_WITHIN_MS = 90_000;
const STALLED_AFTER_MS = 60_000;

/** Makes a tenant with a key and the endpoints of the demo, by the administrator's key. */
export async function setStage(
  asked: { url: string; adminKey: string; port: number; signal: AbortSignal },
  step: Step,
): Promise<DemoStage> {
  const { url, adminKey, port, signal } = asked;
  const admin = createDemoClient(url, adminKey, signal);
  await waitUntilReady(url, signal, step);
  await admin.post('/api/v1/tenants', { handle: DEMO_TENANT, name: 'Redrive demo' });
  const newKey = (of: DemoKey) =>
    admin.post<{ key: string }>('/api/v1/keys', { tenantId: DEMO_TENANT, ...DEMO_KEYS[of] });
  const { key } = await newKey('operator');
  // Nobody needs to see this one: a link signs in as it.
  await newKey('approver');
  const client = createDemoClient(url, key, signal);
  const made: [DemoHandle, string][] = [];
  for (const handle of DEMO_HANDLES) {
    const { eventTypes, timeoutMs, retry, protect = false } = DEMO_ENDPOINTS[handle];
    const endpoint = { handle, url: demoUrl(handle, port), timeoutMs, retry, protect };
    const { id } = await client.post<{ id: string }>('/api/v1/endpoints', {
      ...endpoint,
      ...(eventTypes === undefined ? {} : { eventTypes }),
    });
    made.push([handle, id]);
  }
  return { client, key, endpointIds: Object.fromEntries(made) as DemoStage['endpointIds'], signal };
}

async function waitUntilReady(url: string, signal: AbortSignal, step: Step): Promise<void> {
  step.doing('waiting for a worker that polls');
  await until('the service was not ready', READY_WITHIN_MS, signal, async () => {
    const soon = AbortSignal.any([signal, AbortSignal.timeout(READY_ANSWERS_WITHIN_MS)]);
    return (await fetch(`${url}/readyz`, { signal: soon }).catch(() => undefined))?.ok === true;
  });
}

/** Sends real GitHub payloads as events; those that match an endpoint are delivered, or not, from that moment on. */
export async function sendEvents(
  { client }: DemoStage,
  step: Step,
): Promise<{ events: number; examples: number; times: number; deliveries: number }> {
  step.doing('reading the examples');
  const examples = await readExamples();
  const events = demoEvents(examples, BATCHES);
  const calls = inCalls(events, EVENTS_PER_CALL);
  let deliveries = 0;
  for (const [index, call] of calls.entries()) {
    step.doing(`POST /api/v1/events, ${index + 1} of ${calls.length}`);
    const accepted = await client.post<{ deliveries: number }[]>('/api/v1/events', call);
    deliveries += accepted.reduce((sum, event) => sum + event.deliveries, 0);
  }
  const times = BATCHES.length;
  return { events: events.length, examples: events.length / times, times, deliveries };
}

/** The endpoints whose deliveries the demo recovers itself. */
const RECOVERED_HERE = DEMO_HANDLES.filter((handle) => handle !== LEFT_TO_THE_CONSOLE);

const RECOVERED_QUERY = RECOVERED_HERE.map((handle) => `endpointIds=${handle}`).join('&');

/** Waits until every delivery that nothing holds back has been made or given up, and answers with those that failed. */
export async function waitForFailures({ client, signal }: DemoStage, step: Step): Promise<FailedDelivery[]> {
  await until('the first deliveries did not end', OUTAGE_WITHIN_MS, signal, async () => {
    const { items, nextCursor } = await client.get<Page<unknown>>(
      `/api/v1/deliveries?state=pending&${RECOVERED_QUERY}&limit=500`,
    );
    step.doing(`waiting for ${nextCursor === null ? items.length : 'more than 500'} deliveries`);
    return items.length === 0;
  });
  return allPages<FailedDelivery>(client, '/api/v1/deliveries?state=failed&limit=500');
}

const RETRY_REQUEST = {
  select: { filter: { state: ['failed'], endpointIds: RECOVERED_HERE } },
  // A safe pace is the point of a bulk retry; this one also leaves time to watch.
  options: { ratePerSecond: 250 },
  reason: 'the outage is over',
};
const RETRY_KEY = 'demo-retry-1';

/** The one request of the demo that matters, as it is sent. */
export const RETRY_LINES = [
  `POST /api/v1/retries   (Idempotency-Key: ${RETRY_KEY})`,
  JSON.stringify(RETRY_REQUEST),
];

/** Accepts the one bulk retry of the demo. */
export async function postRetry({ client }: DemoStage): Promise<string> {
  const { id } = await client.post<{ id: string }>('/api/v1/retries', RETRY_REQUEST, {
    'idempotency-key': RETRY_KEY,
  });
  return id;
}

/** Shows the operation's progress until it has closed, and answers with its report. */
export async function follow(
  { client, signal }: DemoStage,
  operationId: string,
  output: DemoOutput,
): Promise<ClosureReport> {
  const progress = showProgress(output);
  let seen = '';
  let movedAtMs = performance.now();
  try {
    for (;;) {
      const path = `/api/v1/retries/${operationId}`;
      const { state, counts } = await client.get<{ state: OperationState; counts: OperationCounts }>(path);
      progress.update(counts);
      if (hasEnded(state)) return await client.get(`${path}/report`);
      const now = JSON.stringify([state, counts]);
      if (now !== seen) movedAtMs = performance.now();
      else if (performance.now() - movedAtMs > STALLED_AFTER_MS)
        throw new DemoProblem(`the retry is ${state} and has not moved for ${STALLED_AFTER_MS / 1_000} s`);
      seen = now;
      await delay(POLL_MS, undefined, { signal });
    }
  } finally {
    progress.end();
  }
}

/** Asks again and again until it is so; the demo stops where that takes too long. */
export async function until(
  otherwise: string,
  withinMs: number,
  signal: AbortSignal,
  condition: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new DemoProblem(`${otherwise} within ${withinMs / 1_000} s`);
    await delay(POLL_MS, undefined, { signal });
  }
}
