import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exclusionOf, type RetryRequest, retryFate } from '../../src/domain/operations/retry-fate.ts';
import { retryWords } from '../../src/domain/operations/retry-words.ts';
import { type Id, readId, showId } from '../../src/domain/tenancy/typed-id.ts';
import { uuidIn } from '../support/api/retries.ts';
import { createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { useEngine } from '../support/engine/use-engine.ts';
import { ok } from '../support/receivers/receiver-behaviour.ts';
import { everySurface, type SurfaceAnswer, type SurfaceCall } from '../support/surfaces/every-surface.ts';
import {
  ENDPOINTS,
  type EndpointSituation,
  factsOf,
  furnishSituations,
  SITUATIONS,
  type Situation,
  settle,
} from '../support/surfaces/situations.ts';

/** Every delivery, holder, policy and endpoint through every surface: what the answer says, and what a receiver then got. */

const BULK = ['native bulk', 'native bulk, taking over'] as const;
const SINGLE: readonly SurfaceCall[] = [
  'native',
  'zen-mesh single',
  'zen-mesh batch',
  'minka',
  'jack-henry subscription',
  'jack-henry raw',
  'stedi',
  'flowrelay',
];
const CALLS = [...SINGLE, ...BULK];
type Call = (typeof CALLS)[number];

/** The word of an answer on the delivery: that it will be sent, that it will not, to wait and see, or nothing of it. */
interface Said {
  sent?: boolean | 'wait';
  status: number;
  text: string;
}

/** One delivery, its situation, the word on it and the deed. */
interface Line extends Said {
  call: Call;
  situation: Situation;
  endpoint: EndpointSituation;
  deliveryId: Id<'delivery'>;
  endpointId: string;
  /** Stedi's surface called an execution of it retryable. */
  retryable: boolean;
  /** Its entry in the ledger of the operation; absent where it was not selected. */
  ledger?: string;
  /** The delivery that stands for it. */
  resentBy?: Id<'delivery'>;
  requests: number;
  ends: string;
}

const engine = useEngine();
const scenes: Scene[] = [];
const lines: Line[] = [];

beforeAll(async () => {
  const asked = await Promise.all(ENDPOINTS.map(askAt));
  await settle(
    engine,
    scenes.map(({ tenant }) => uuidIn('tenant', tenant.id)),
  );
  for (const tell of asked) lines.push(...(await tell()));
});
afterAll(async () => {
  await Promise.all(scenes.map((it) => it.close()));
});

/** Asks for the retry of a delivery in each situation, by each call; returns a function that tells how each ended. */
async function askAt(endpoint: EndpointSituation): Promise<() => Promise<Line[]>> {
  const it = await createScene(engine, [ok], {
    retry: { maxAttempts: 5, initialMs: 20, factor: 1, capMs: 20 },
  });
  scenes.push(it);
  const callers = await everySurface(engine, it);
  const furnished = await furnishSituations(engine, it, CALLS.length, endpoint);
  const events = await eventsOf(it);
  const furnishedBy = await operationsOf(it);
  it.receivers[0]?.switchTo(ok);
  const before = requestsOf(it);
  const at = (situation: Situation, call: Call) => furnished[situation][CALLS.indexOf(call)] ?? '';

  const retryable = await retryableIn(
    it,
    SITUATIONS.map((situation) => at(situation, 'stedi')),
  );
  const said = new Map<string, Said>();
  for (const situation of SITUATIONS)
    await Promise.all(
      SINGLE.map(async (call) => {
        const id = at(situation, call);
        said.set(id, wordOf(call, await callers[call](id, events.get(id) ?? '')));
      }),
    );
  for (const call of BULK) {
    const answer = await it.retries.start({
      select: { deliveryIds: SITUATIONS.map((situation) => at(situation, call)) },
      options: { takeOverScheduled: call !== 'native bulk' },
    });
    for (const item of answer.items)
      said.set(uuidIn('delivery', item.deliveryId), { status: 202, text: '', sent: promisedBy(item) });
  }

  return async () => {
    const [ledger, ends, requests] = [await ledgerOf(it, furnishedBy), await statesOf(it), requestsOf(it)];
    const resent = await successorsOf(it);
    return CALLS.flatMap((call) =>
      SITUATIONS.map((situation): Line => {
        const deliveryId = at(situation, call) as Id<'delivery'>;
        const became = ledger.get(`${deliveryId} ${surfaceOf(call)}`);
        const resentBy = resent.get(deliveryId);
        return {
          call,
          situation,
          endpoint,
          deliveryId,
          endpointId: it.endpoints[0].id,
          ...(said.get(deliveryId) ?? { status: 0, text: '' }),
          retryable: retryable.has(deliveryId),
          ...(became === undefined ? {} : { ledger: became }),
          ...(resentBy === undefined ? {} : { resentBy }),
          requests: (requests.get(deliveryId) ?? 0) - (before.get(deliveryId) ?? 0),
          ends: ends.get(deliveryId) ?? '',
        };
      }),
    );
  };
}

const surfaceOf = (call: Call) => call.split(' ')[0] ?? '';

/** An item is sent, and so is a delivery that another execution will send; no other excluded one is. */
function promisedBy({ became, reason }: { became: string; reason?: string }): boolean {
  return became !== 'excluded' || reason === 'coalesced';
}

/** The same of the ledger, for those who answer with nothing but success. */
function promisedIn(ledger: string | undefined): boolean | 'wait' {
  // These speak of the execution that was named, and not of its delivery: another one may be open.
  if (ledger === 'already_retried' || ledger === 'not_retryable') return 'wait';
  return ledger === 'item' || ledger === 'coalesced';
}

function wordOf(call: Call, { status, text }: SurfaceAnswer): Said {
  const said = { status, text };
  switch (call) {
    case 'native':
      return { ...said, sent: promisedBy(JSON.parse(text).items[0]) };
    case 'zen-mesh single':
      return { ...said, sent: status === 202 && JSON.parse(text).status === 'queued' };
    case 'zen-mesh batch':
      return { ...said, sent: JSON.parse(text).queued === 1 };
    case 'flowrelay':
      // A delivery that somebody else may send is refused there with the advice to wait: neither promise nor denial.
      return { ...said, sent: status === 202 || (/^.*not terminal/.test(text) ? 'wait' : false) };
    default:
      // Its printed success promises nothing, and its refusal is one.
      return status < 300 ? said : { ...said, sent: false };
  }
}

async function eventsOf(it: Scene): Promise<Map<string, string>> {
  const { rows } = await engine.database.pool.query<{ id: string; event_id: string }>(
    'select id, event_id from deliveries where tenant_id = $1',
    [uuidIn('tenant', it.tenant.id)],
  );
  return new Map(rows.map((row) => [row.id, row.event_id]));
}

/** Of these deliveries those of which Stedi's surface calls an execution retryable. */
async function retryableIn(it: Scene, deliveryIds: string[]): Promise<Set<string>> {
  const { rows } = await engine.database.pool.query<{ id: string; delivery_id: string }>(
    'select id, delivery_id from executions where delivery_id = any($1::uuid[])',
    [deliveryIds],
  );
  const shown = await Promise.all(
    rows.map(async (row) => {
      const answer = await fetch(`${engine.service.url}/executions/${row.id}`, {
        headers: { authorization: it.tenant.key },
      });
      const { retryable } = (await answer.json()) as { retryable: boolean };
      return { id: row.delivery_id, retryable };
    }),
  );
  return new Set(shown.flatMap(({ id, retryable }) => (retryable ? [id] : [])));
}

/** The delivery that stands for each that was sent again. */
async function successorsOf(it: Scene): Promise<Map<string, Id<'delivery'>>> {
  const { rows } = await engine.database.pool.query<{ id: string; resent_by: Id<'delivery'> }>(
    'select id, resent_by from deliveries where tenant_id = $1 and resent_by is not null',
    [uuidIn('tenant', it.tenant.id)],
  );
  return new Map(rows.map((row) => [row.id, row.resent_by]));
}

async function operationsOf(it: Scene): Promise<string[]> {
  const { rows } = await engine.database.pool.query<{ id: string }>(
    'select id from operations where tenant_id = $1',
    [uuidIn('tenant', it.tenant.id)],
  );
  return rows.map(({ id }) => id);
}

/**
 * The fate of each delivery in the operation that was asked for, by delivery and surface: the reason it was excluded,
 * or `item`. Where filters run again, a repeat becomes an item that can only end ignored: its reason is told, too.
 */
async function ledgerOf(it: Scene, earlier: string[]): Promise<Map<string, string>> {
  const { rows } = await engine.database.pool.query<{ id: string; surface: string; became: string }>(
    `select x.delivery_id as id, o.surface, x.reason as became
     from exclusions x join operations o on o.id = x.operation_id where o.tenant_id = $1 and o.id <> all($2::uuid[])
     union all
     select e.delivery_id, o.surface, case e.reason when 'suppressed_duplicate' then e.reason else 'item' end
     from executions e join operations o on o.id = e.operation_id
     where o.tenant_id = $1 and o.id <> all($2::uuid[])`,
    [uuidIn('tenant', it.tenant.id), earlier],
  );
  return new Map(rows.map((row) => [`${row.id} ${row.surface}`, row.became]));
}

async function statesOf(it: Scene): Promise<Map<string, string>> {
  const { rows } = await engine.database.pool.query<{ id: string; state: string }>(
    'select id, state from deliveries where tenant_id = $1',
    [uuidIn('tenant', it.tenant.id)],
  );
  return new Map(rows.map((row) => [row.id, row.state]));
}

function requestsOf(it: Scene): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { id } of it.receivers.flatMap(({ requests }) => requests)) {
    const delivery = id === undefined ? undefined : readId('delivery', id);
    if (delivery !== undefined) counts.set(delivery, (counts.get(delivery) ?? 0) + 1);
  }
  return counts;
}

/** The request of each call, where the function says it all; the others select less, or ask for a replay. */
const REQUESTS: Partial<Record<Call, RetryRequest>> = {
  native: { kind: 'retry', takesOverScheduled: false, takesOverStopped: true, matchesFilters: false },
  'native bulk': { kind: 'retry', takesOverScheduled: false, takesOverStopped: false, matchesFilters: false },
  'native bulk, taking over': {
    kind: 'retry',
    takesOverScheduled: true,
    takesOverStopped: true,
    matchesFilters: false,
  },
  'zen-mesh single': {
    kind: 'retry',
    takesOverScheduled: true,
    takesOverStopped: true,
    matchesFilters: false,
  },
  'zen-mesh batch': {
    kind: 'retry',
    takesOverScheduled: true,
    takesOverStopped: true,
    matchesFilters: false,
  },
};

/** A retry of Stedi's surface. */
const STEDI: RetryRequest = {
  kind: 'retry',
  takesOverScheduled: false,
  takesOverStopped: false,
  matchesFilters: true,
};

const brief = ({ text, ...line }: Line) => ({ ...line, text: text.slice(0, 200) });

describe.each(ENDPOINTS)('at an endpoint that is %s', (endpoint) => {
  const here = () => lines.filter((line) => line.endpoint === endpoint);
  /** A delivery that was on the wire when its retry was asked for is sent already, whatever becomes of the endpoint. */
  const inFlight = (line: Line) => line.situation === 'on the wire' && endpoint !== 'enabled';

  test.each(CALLS)('%s: a delivery that is said to be sent arrives, and no other does', (call) => {
    const of = here().filter((line) => line.call === call);
    expect(of).toHaveLength(SITUATIONS.length);
    for (const line of of) {
      expect([line.call, line.situation, line.status]).not.toEqual([call, line.situation, 500]);
      const promised = line.sent ?? promisedIn(line.ledger);
      if (!inFlight(line) && promised !== 'wait')
        expect({ ...brief(line), gets: line.requests > 0 }).toEqual({ ...brief(line), gets: promised });
      if (line.requests > 0) expect({ ...brief(line) }).toMatchObject({ ends: 'delivered' });
    }
  });

  test.each(Object.keys(REQUESTS) as Call[])('%s: says what the function says, in its own words', (call) => {
    const request = REQUESTS[call];
    if (!request) throw new Error('a call without a request');
    for (const line of here().filter((each) => each.call === call)) {
      const fate = retryFate(factsOf(line.situation, endpoint), request);
      const reason = exclusionOf(fate, request);
      const willBeSent = fate.fate === 'will_be_sent' || fate.fate === 'joins';
      // Dropped at ingest: this surface leaves it to its replays.
      const dropped =
        call.startsWith('zen-mesh') && ['never sent', 'repeat of another'].includes(line.situation);
      if (dropped) {
        expect(brief(line)).toMatchObject({ sent: false });
        expect(line.ledger).toBeUndefined();
        continue;
      }
      expect({ ...brief(line), sent: willBeSent, ledger: reason ?? 'item' }).toEqual(brief(line));
      if (call !== 'zen-mesh single') continue;
      const { status, delivery_id, message } = JSON.parse(line.text);
      const ids = {
        deliveryId: showId('delivery', line.deliveryId),
        endpointId: line.endpointId,
        ...(line.resentBy ? { resentBy: showId('delivery', line.resentBy) } : {}),
      };
      expect(delivery_id).toBe(ids.deliveryId);
      if (willBeSent) expect([status, message]).toEqual(['queued', 'Retry initiated']);
      else if (reason === 'already_delivered')
        expect([status, message]).toEqual(['delivered', 'Already delivered']);
      else {
        const { why, next } = retryWords(reason ?? 'coalesced', ids);
        expect([status, message]).toEqual([
          reason === 'payload_expired' ? 'expired' : 'dropped',
          `${why} ${next}`,
        ]);
      }
    }
  });

  test('stedi: calls retryable what its retry would take, and nothing else', () => {
    for (const line of here().filter(({ call }) => call === 'stedi')) {
      const facts = factsOf(line.situation, endpoint);
      const takes = exclusionOf(retryFate(facts, STEDI), STEDI) === undefined;
      // Nothing that is in progress is retried there.
      expect({ ...brief(line), retryable: takes && facts.open === undefined }).toEqual(brief(line));
    }
  });
});
