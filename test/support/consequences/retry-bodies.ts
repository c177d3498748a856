import fc from 'fast-check';
import { DELIVERY_STATES } from '../../../src/domain/sending/delivery-state.ts';
import { FAULT_CODES } from '../../../src/domain/sending/fault-code.ts';
import { uuidIn } from '../api/retries.ts';
import { listOf, longAgo, optional, range, textAmong, timeFromNow } from './awkward.ts';
import { BATCHES, EXTERNAL_IDS, KEYS, SOURCES, TYPES, type World } from './world.ts';

/** A part of a request that depends on the world at the time it is sent. */
export type InWorld<T> = (world: World) => T;

type Body = Record<string, unknown>;

/** A place in a list of the world: the n-th entry, counted around. */
export const place = fc.nat(10_000);

/** The n-th of a list that is not empty. */
export function nth<T>(list: readonly T[], n: number): T {
  const found = list[n % list.length];
  if (found === undefined) throw new Error('the world has none of these');
  return found;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Ids in both spellings. */
function idsOf(
  kind: 'delivery' | 'execution' | 'event',
  of: InWorld<string[]>,
): fc.Arbitrary<InWorld<string[]>> {
  const few = listOf(place, 12);
  const many = fc.array(place, { minLength: 100, maxLength: 1_000 });
  return fc
    .tuple(fc.oneof({ weight: 6, arbitrary: few }, { weight: 1, arbitrary: many }), fc.boolean())
    .map(([places, bare]) => (world) => {
      const all = of(world);
      return places.map((n) => (bare ? uuidIn(kind, nth(all, n)).toUpperCase() : nth(all, n)));
    });
}

const endpointNames = listOf(fc.tuple(place, fc.boolean())).map(
  (picked): InWorld<string[]> =>
    ({ endpoints }) =>
      picked.map(([n, byHandle]) => {
        const endpoint = nth(endpoints, n);
        return byHandle && endpoint.handle !== 'deleted' ? endpoint.handle : endpoint.id;
      }),
);

/** A filter over deliveries. */
export const filterBody: fc.Arbitrary<InWorld<Body>> = fc
  .tuple(
    fc.record({
      state: optional(listOf(fc.constantFrom(...DELIVERY_STATES))),
      eventTypes: optional(listOf(textAmong(...TYPES))),
      sources: optional(listOf(textAmong(...SOURCES))),
      faultCodes: optional(listOf(fc.constantFrom(...FAULT_CODES, 'http_5xx', 'timeout'), 6)),
      httpStatus: optional(listOf(fc.constantFrom(100, 500, 503, 999))),
      ingestionBatchIds: optional(listOf(textAmong(...BATCHES))),
      key: fc.option(textAmong(...KEYS), { nil: undefined, freq: 1 }),
      pendingLongerThanMs: optional(fc.constantFrom(0, 1, 1_000, 365 * DAY_MS)),
      blocking: fc.option(fc.constant(true), { nil: undefined, freq: 1 }),
    }),
    range('from', 'to'),
    range('lastAttemptAfter', 'lastAttemptBefore'),
    optional(endpointNames),
    optional(listOf(place)),
    // A filter of many members mostly selects nothing: so many of them are left out.
    fc.integer({ min: 0, max: 0xfff }),
  )
  .map(([members, accepted, attempted, endpoints, batches, kept]) => (world) => {
    const all: Body = {
      ...members,
      ...accepted,
      ...attempted,
      endpointIds: endpoints?.(world),
      dispatchBatchIds:
        world.operations.length > 0 ? batches?.map((n) => nth(world.operations, n)) : undefined,
    };
    return Object.fromEntries(
      Object.entries(all).filter(
        ([, value], index) => value !== undefined && (kept >> (index % 12)) % 2 === 1,
      ),
    );
  });

const explicit: fc.Arbitrary<InWorld<Body>> = fc.oneof(
  idsOf('delivery', ({ deliveries }) => deliveries.map(({ id }) => id)).map(
    (of): InWorld<Body> =>
      (world) => ({ deliveryIds: of(world) }),
  ),
  idsOf('execution', ({ executions }) => executions).map(
    (of): InWorld<Body> =>
      (world) => ({ executionIds: of(world) }),
  ),
  idsOf('event', ({ events }) => events).map(
    (of): InWorld<Body> =>
      (world) => ({ eventIds: of(world) }),
  ),
  listOf(fc.constantFrom(...EXTERNAL_IDS)).map(
    (eventIds): InWorld<Body> =>
      () => ({ eventIds }),
  ),
);

const filtered = filterBody.map(
  (of): InWorld<Body> =>
    (world) => ({ filter: of(world) }),
);

const ofOperation = fc.tuple(fc.constantFrom('failuresOf', 'remainderOf'), place).map(
  ([member, n]): InWorld<Body> =>
    ({ operations }) =>
      operations.length > 0 ? { [member]: nth(operations, n) } : { filter: {} },
);

/** A selection that can be settled, or retried. */
export const selectBody = fc.oneof(explicit, filtered);

const rate = fc.constantFrom(0.01, 0.5, 20, 1_000, 100_000);
const percent = fc.constantFrom(0, 0.5, 50, 99);
const duration = fc.constantFrom(1_000, 2_000, 5_000, 30 * DAY_MS);

const optionsBody = fc.record({
  ratePerSecond: optional(rate),
  maxConcurrency: optional(fc.constantFrom(1, 2, 10_000)),
  takeOverScheduled: optional(fc.boolean()),
  includeResent: optional(fc.boolean()),
  notBefore: optional(
    fc.oneof(longAgo, timeFromNow(-DAY_MS, 0), timeFromNow(0, 2_000), timeFromNow(HOUR_MS, 89 * DAY_MS)),
  ),
  giveUpAfterMs: optional(duration),
  disabledPatienceMs: optional(fc.constantFrom(0, 1, 1_000, 7 * DAY_MS)),
  canary: optional(fc.record({ count: fc.constantFrom(1, 3, 10_000), maxFailurePercent: percent })),
  ramp: optional(fc.record({ startPerSecond: rate, everySeconds: fc.constantFrom(1, 86_400) })),
  haltAtFailurePercent: optional(percent),
  onAmbiguous: optional(fc.constantFrom('resend', 'probe', 'hold')),
});

/** The body of a retry of the native API. */
export const retryBody: fc.Arbitrary<InWorld<Body>> = fc
  .record({
    select: fc.oneof(explicit, filtered, filtered, ofOperation),
    mode: fc.constantFrom('retry', 'replay'),
    target: optional(fc.constantFrom('original', 'current')),
    newIdentity: optional(fc.boolean()),
    options: optional(optionsBody),
    reason: optional(textAmong('endpoint was down')),
    ticket: optional(textAmong('OPS-42')),
  })
  .map(
    ({ select, options, ...others }) =>
      (world) =>
        withoutContradictions(select(world), options ?? {}, others),
  );

/** Leaves out members that contradict each other: they would be refused. */
function withoutContradictions(select: Body, asked: object, others: { mode: string } & Body): Body {
  const { filter, deliveryIds, executionIds } = select as {
    filter?: { state?: string[] };
    deliveryIds?: string[];
    executionIds?: string[];
  };
  const options = { ...asked } as {
    canary?: { count: number } | undefined;
    ramp?: { startPerSecond: number } | undefined;
    ratePerSecond?: number | undefined;
    includeResent?: boolean | undefined;
    takeOverScheduled?: boolean | undefined;
  };
  const named = deliveryIds ?? executionIds;
  const distinct = new Set(named?.map((id) => id.toLowerCase())).size;
  if (options.canary && named && named.length > 0 && distinct <= options.canary.count) delete options.canary;
  if (options.ramp && options.ratePerSecond && options.ramp.startPerSecond >= options.ratePerSecond)
    delete options.ramp;
  const leftAlone = filter?.state?.length !== 0 && filter?.state?.every((state) => state === 'delivered');
  const mode = leftAlone ? 'replay' : others.mode;
  if (mode !== 'replay') delete options.includeResent;
  const newIdentity = others.newIdentity === true && mode === 'replay';
  if (newIdentity) delete options.takeOverScheduled;
  return { ...others, mode, select, options, newIdentity };
}
