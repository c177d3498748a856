import { afterEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ApiDeps } from '../../src/api/api-deps.ts';
import { apiRoutes } from '../../src/api/server.ts';
import { hasEnded, OPERATION_STATES } from '../../src/domain/operations/operation-state.ts';
import { isOutage } from '../../src/store/db/outage.ts';
import { PLATFORM_TENANT } from '../../src/store/tenancy/tenants.ts';
import { SURFACES } from '../../src/surfaces/surfaces.ts';
import type { Answer } from '../support/api/test-client.ts';
import type { Asked } from '../support/consequences/asked.ts';
import { STARTS_NOTHING, startingRequests } from '../support/consequences/requests.ts';
import { createWorld, type World } from '../support/consequences/world.ts';
import { startTestEngine, type TestEngine } from '../support/engine/test-engine.ts';
import { eventually } from '../support/eventually.ts';
import { readLedger, violationsOf } from '../support/store/ledger.ts';
import { ask } from '../support/surfaces/minka-client.ts';

/**
 * Random valid requests of every route that starts work: each accepted one ends by itself or says what it waits for,
 * and waits for nothing else. CONSEQUENCES_SEED asks for other runs, or for a bad one again.
 */

// biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
type Shown = any;
type Wait = { what: string; until?: string };

const SEEDS = (process.env.CONSEQUENCES_SEED ?? '20261103').split(',').map(Number);
/** Requests that are on their way at once. */
const AT_ONCE = 8;
/** A time later than this from now is waited for; an earlier one is about to come. */
const SOON_MS = 4_000;

const POSTED = apiRoutes({ version: 'test' } as ApiDeps, SURFACES).filter(({ method }) => method === 'post');

let engine: TestEngine;
let world: World;

afterEach(async () => {
  await world?.close();
  await engine?.close();
});

/** Sends a request as its surface wants it; its answer is checked against the document unless the request is signed. */
function sent({
  path,
  body,
  headers = {},
  credential,
}: Asked): Promise<Pick<Answer, 'status' | 'text' | 'body'>> {
  if (credential === 'signature') return ask(engine.service.url ?? '', 'POST', path, { body, headers });
  return engine.client.call('POST', path, {
    key: credential === 'installation' ? engine.adminKey : world.tenant.key,
    ...(body === undefined ? {} : { body }),
    headers: { ...headers, ...(credential === 'bare' ? { authorization: world.tenant.key } : {}) },
  });
}

/** Refusals of a valid request that names existing rows: their state, and a key that was used before. */
const REFUSED_BY_STATE = [
  [401, /ack_refused/],
  [400, /jackhenry\/operation-failed/],
  [400, /jackhenry\/idempotency-key-reused/],
  [400, /payload of this event is no longer kept|repeats the id of an earlier one|sent it again/],
  [422, /idempotency_key_reused/i],
] as const;

function isRefusedByState({ status, text }: Pick<Answer, 'status' | 'text'>): boolean {
  return (
    [404, 409, 410].includes(status) ||
    REFUSED_BY_STATE.some(([refused, said]) => refused === status && said.test(text))
  );
}

type Outcome = { asked: Asked; status: number; text: string };

/** All requests of a seed, in an order of its own. */
async function storm(seed: number, outcomes: Outcome[]): Promise<void> {
  const send = async (asked: Asked): Promise<boolean> => {
    const answer = await sent(asked);
    outcomes.push({ asked, status: answer.status, text: answer.text });
    if (answer.status >= 300) return false;
    asked.accepted?.(answer.body);
    return true;
  };
  const routes = Object.values(startingRequests(send)).map(({ requests, runs }, index) =>
    fc.sample(requests, { seed: seed + index, numRuns: runs }).map((of) => async () => send(await of(world))),
  );
  // One of each route while it finds what it needs; all others as they come.
  for (const [first] of routes) {
    await first?.();
    await world.refresh();
  }
  const others = routes.flatMap(([, ...rest]) => rest);
  const [order = []] = fc.sample(fc.shuffledSubarray(others, { minLength: others.length }), {
    seed,
    numRuns: 1,
  });
  for (let from = 0; from < order.length; from += AT_ONCE) {
    await Promise.all(order.slice(from, from + AT_ONCE).map((request) => request()));
    await world.refresh();
  }
}

const OPEN = OPERATION_STATES.filter((state) => !hasEnded(state));

const CALLERS = ['tenant', 'platform'] as const;
type CallerName = (typeof CALLERS)[number];

/** Who reads and steers: the tenant, or the installation for what spans tenants. */
function callerOf(name: CallerName): { key: string; headers?: Record<string, string> } {
  return name === 'tenant'
    ? { key: world.tenant.key }
    : { key: engine.adminKey, headers: { 'redrive-tenant': PLATFORM_TENANT.handle } };
}

/** The operations of both callers in these states, as the API lists them. */
async function operations(states: readonly string[]): Promise<Shown[]> {
  const found: Shown[] = [];
  for (const caller of CALLERS) {
    let cursor: string | null = null;
    do {
      const query = new URLSearchParams([
        ['limit', '200'],
        ...states.map((state): [string, string] => ['state', state]),
        ...(cursor ? [['cursor', cursor] as [string, string]] : []),
      ]);
      const page: Answer = await engine.client.expect(
        200,
        'GET',
        `/api/v1/retries?${query}`,
        callerOf(caller),
      );
      found.push(...page.body.items.map((operation: Shown) => ({ ...operation, caller })));
      cursor = page.body.nextCursor;
    } while (cursor !== null);
  }
  return found;
}

const isLater = (time: string | undefined) => time !== undefined && Date.parse(time) > Date.now() + SOON_MS;

/** Waits that somebody has to end; all others end by themselves at the time that they name. */
const FOR_SOMEBODY = ['pause', 'halt', 'endpoint_disabled', 'canary', 'order'];

/** The waits that an operation names and that are not about to be over by themselves. */
function waits({ waitingFor, nextEvent }: Shown): string[] {
  const said = (waitingFor as Wait[])
    .filter(({ what, until }) => FOR_SOMEBODY.includes(what) || isLater(until))
    .map(({ what }) => what);
  return said.length > 0 || !isLater(nextEvent?.at) ? said : [nextEvent.what];
}

function brief({
  id,
  state,
  control,
  counts,
  waitingFor,
  nextEvent,
  options,
  stalled,
  halt,
  kind,
}: Shown): string {
  return JSON.stringify({
    id,
    state,
    control,
    kind,
    counts,
    waitingFor,
    nextEvent,
    options,
    stalled,
    halt,
  });
}

/** Waits until each operation has ended or is at rest, and says what those that rest wait for. */
async function allAtRest(what: string): Promise<{ operation: Shown; waits: string[] }[]> {
  let seen: { operation: Shown; waits: string[] }[] = [];
  const open = () => seen.filter(({ operation }) => !hasEnded(operation.state));
  await eventually(
    what,
    async () => {
      seen = (await operations(OPEN)).map((operation) => ({ operation, waits: waits(operation) }));
      return open().every((each) => each.waits.length > 0);
    },
    {
      withinMs: 30_000,
      otherwise: () =>
        open()
          .filter((each) => each.waits.length === 0)
          .map(({ operation }) => brief(operation))
          .join('\n'),
    },
  );
  return open();
}

/** Lifts the wait that an operation names; an operation whose wait is far off is cancelled. */
async function lift({ operation, waits: said }: { operation: Shown; waits: string[] }): Promise<void> {
  const verb =
    operation.state === 'planned'
      ? 'cancel'
      : said.some((each) => ['pause', 'halt', 'expiry'].includes(each))
        ? 'resume'
        : said.includes('rate')
          ? 'rate'
          : 'cancel';
  // It may have ended meanwhile, which is as good.
  await engine.client.call('POST', `/api/v1/retries/${operation.id}/${verb}`, {
    ...callerOf(operation.caller),
    ...(verb === 'rate' ? { body: { ratePerSecond: null } } : {}),
  });
}

/** Deliveries that are to be sent and neither end nor say what they wait for. */
async function silentDeliveries(): Promise<Shown[]> {
  const answer = await engine.client.expect(200, 'GET', '/api/v1/deliveries?state=pending&limit=200', {
    key: world.tenant.key,
  });
  return answer.body.items.filter(({ waitingFor }: Shown) => waitingFor.length === 0);
}

type Line = { event?: string; workflowId?: string; activity?: string; code?: string };

const SQLSTATE = /^[0-9A-Z]{5}$/;

/** Failures that the log tells of and that no outage explains: a step that failed twice, a statement that was refused. */
function failuresLogged(): string[] {
  const steps = new Set<string>();
  return engine.log.filter((text) => {
    const { event = '', workflowId, activity, code = '' } = JSON.parse(text) as Line;
    if (event === 'operation.halted') return text.includes('failed_step');
    if (!event.endsWith('.failed') || isOutage({ code })) return false;
    const step = `${workflowId} ${activity} ${code}`;
    const again = event === 'activity.failed' && steps.has(step);
    steps.add(step);
    return again || SQLSTATE.test(code);
  });
}

test('every route that is posted to is among those that start work, or among those that do not', () => {
  const listed = [...Object.keys(startingRequests(async () => false)), ...STARTS_NOTHING];
  expect(listed.toSorted()).toEqual(POSTED.map(({ path }) => path).toSorted());
});

/** Whether a path is one of a route's, such as `/endpoints/ep_1/enable` of `/endpoints/{id}/enable`. */
function isOfRoute(path: string, route: string): boolean {
  const [parts, wanted] = [path.split('?', 1).join().split('/'), route.split('/')];
  return parts.length === wanted.length && wanted.every((part, n) => part.includes('{') || part === parts[n]);
}

/** The faults of the answers of a run. */
function amissIn(outcomes: Outcome[]): string[] {
  const accepted = outcomes.filter(({ status }) => status < 300).map(({ asked }) => asked.path);
  const wasAccepted = (path: string) => accepted.some((one) => isOfRoute(one, path));
  return [
    ...outcomes
      .filter((each) => each.status >= 300 && !isRefusedByState(each))
      .map(({ asked, status, text }) => `${status} ${text} for ${JSON.stringify(asked)}`),
    ...POSTED.map(({ path }) => path)
      .filter((path) => !wasAccepted(path) && !STARTS_NOTHING.includes(path))
      .map((path) => `no request of ${path} was accepted`),
  ];
}

/** Waits until everything has ended that names no wait, lifts the waits, and waits until the rest has ended. */
async function consequences(): Promise<void> {
  await allAtRest('each operation has ended or says what it waits for');
  let silent: Shown[] = [];
  await eventually(
    'each delivery has ended or says what it waits for',
    async () => {
      silent = await silentDeliveries();
      return silent.length === 0;
    },
    {
      otherwise: () =>
        silent.map(({ id, endpointId, attempts }) => `${id} at ${endpointId} (${attempts})`).join('\n'),
    },
  );
  world.recover();
  for (const { id, handle } of world.endpoints)
    if (handle !== 'deleted')
      await engine.client.expect(200, 'POST', `/api/v1/endpoints/${id}/enable`, { key: world.tenant.key });
  let open: Awaited<ReturnType<typeof allAtRest>> = [];
  await eventually(
    'each operation has ended, what it waited for being over',
    async () => {
      open = await allAtRest('each operation goes on, or says what it waits for');
      for (const each of open) await lift(each);
      return open.length === 0;
    },
    { withinMs: 30_000, otherwise: () => open.map(({ operation }) => brief(operation)).join('\n') },
  );
}

test.each(SEEDS)(
  'each accepted request ends by itself, or says what it waits for and ends when that is over (CONSEQUENCES_SEED=%i)',
  async (seed) => {
    engine = await startTestEngine();
    world = await createWorld(engine);
    const outcomes: Outcome[] = [];
    await storm(seed, outcomes);
    const stuck = await consequences().then(
      () => [],
      (error: Error) => [error.message],
    );
    const { rows: unended } = await engine.database.pool.query<{ id: string }>(
      'select id from operations where closed_at is null',
    );
    const violations = violationsOf(await readLedger(engine.database.pool));
    expect([
      ...amissIn(outcomes),
      ...stuck,
      ...unended.map(({ id }) => `${id} has not ended`),
      ...violations,
      ...failuresLogged(),
    ]).toEqual([]);
  },
);
