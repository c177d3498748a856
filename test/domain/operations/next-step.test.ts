import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type NextStep, nextStep, type OperationFacts } from '../../../src/domain/operations/next-step.ts';
import {
  addsUp,
  closingState,
  type OperationCounts,
  unsentItems,
} from '../../../src/domain/operations/operation-counts.ts';
import { hasEnded, OPERATION_STATES } from '../../../src/domain/operations/operation-state.ts';

const anyCount = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 30_000 }));
const anyMs = fc.oneof(fc.integer({ min: -10_000, max: 10_000 }), fc.integer({ min: 0, max: 604_800_000 }));

function countsOf(parts: Omit<OperationCounts, 'expected'>): OperationCounts {
  return { ...parts, expected: Object.values(parts).reduce((sum, n) => sum + n, 0) };
}

const NONE = {
  queued: 0,
  scheduled: 0,
  sending: 0,
  unknown: 0,
  delivered: 0,
  failed: 0,
  ignored: 0,
  cancelled: 0,
  superseded: 0,
  excluded: 0,
};

const anyCounts = fc
  .record({
    queued: anyCount,
    scheduled: anyCount,
    sending: anyCount,
    unknown: anyCount,
    delivered: anyCount,
    failed: anyCount,
    ignored: anyCount,
    cancelled: anyCount,
    superseded: anyCount,
    excluded: anyCount,
  })
  .map(countsOf);

const anyFacts: fc.Arbitrary<OperationFacts> = fc
  .record({
    state: fc.constantFrom(...OPERATION_STATES),
    control: fc.constantFrom('run', 'pause', 'cancel'),
    selected: fc.boolean(),
    planned: fc.option(fc.boolean(), { nil: undefined }),
    interactive: fc.boolean(),
    counts: anyCounts,
    claimableInMs: fc.option(
      anyMs.map((ms) => Math.max(0, ms)),
      { nil: undefined },
    ),
    leaseInMs: fc.option(anyMs, { nil: undefined }),
    reconcileInMs: fc.option(anyMs, { nil: undefined }),
    judgeInMs: fc.option(anyMs, { nil: undefined }),
    joinedInMs: fc.option(
      anyMs.map((ms) => Math.max(0, ms)),
      { nil: undefined },
    ),
    stuck: fc.boolean(),
    expiresInMs: fc.option(anyMs, { nil: undefined }),
    ageMs: fc.option(fc.nat({ max: 100_000 }), { nil: undefined }),
    aliveWorkers: fc.nat({ max: 20 }),
  })
  .map(present);

/** Leaves out undefined members, as the store does. */
function present<T extends object>(facts: T): OperationFacts {
  return Object.fromEntries(
    Object.entries(facts).filter(([, value]) => value !== undefined),
  ) as OperationFacts;
}

function always(holds: (facts: OperationFacts, step: NextStep) => void): void {
  fc.assert(
    fc.property(anyFacts, (facts) => holds(facts, nextStep(facts))),
    { numRuns: 1_000 },
  );
}

describe('the next step of an operation', () => {
  test('is its end exactly when it has ended', () => {
    always((facts, step) => expect(step.do === 'end').toBe(hasEnded(facts.state)));
  });

  test('never waits less than 200 ms, nor for no known time', () => {
    always((_, step) => {
      if (step.do !== 'wait') return;
      expect(step.ms).toBeGreaterThanOrEqual(200);
      expect(Number.isFinite(step.ms)).toBe(true);
    });
  });

  test('never selects nor sends for an operation that its owner has stopped', () => {
    always(({ control, interactive, state, planned }, step) => {
      // A plan is made also where a policy keeps it from running.
      if (control === 'cancel' || (control === 'pause' && (state !== 'planned' || planned)))
        expect(step.do).not.toBe('select');
      // Requests that the live lane has on the wire are seen through; nothing of the operation is claimed then.
      if (control !== 'run' && !interactive) expect(step.do).not.toBe('dispatch');
    });
  });

  test('closes only when nothing is unsent and nothing on the wire, or to cancel what is unsent', () => {
    always((facts, step) => {
      if (step.do !== 'close') return;
      if (facts.control === 'cancel' && unsentItems(facts.counts) > 0) return;
      expect(unsentItems(facts.counts) + facts.counts.sending).toBe(0);
      expect(facts.selected || facts.control === 'cancel').toBe(true);
    });
  });

  test('sends by as many slices as help, eight at most, and no more than there are workers', () => {
    always((facts, step) => {
      if (step.do !== 'dispatch') return;
      expect(step.slices).toBeGreaterThanOrEqual(1);
      expect(step.slices).toBeLessThanOrEqual(Math.min(8, Math.max(1, facts.aliveWorkers)));
      expect(step.slices).toBeLessThanOrEqual(Math.max(1, Math.ceil(unsentItems(facts.counts) / 2_000)));
    });
  });

  test('is to close it once its counts are frozen, whatever its owner asks for, unless that step has failed', () => {
    fc.assert(
      fc.property(anyFacts, (facts) => {
        const step = nextStep({ ...facts, frozen: true });
        if (hasEnded(facts.state)) expect(step).toEqual({ do: 'end' });
        else expect(step).toMatchObject(facts.stuck ? { do: 'wait', until: 'expiry' } : { do: 'close' });
      }),
    );
  });

  test('cancels unsent items before anything else once that is asked for', () => {
    always((facts, step) => {
      if (
        !hasEnded(facts.state) &&
        !facts.stuck &&
        facts.control === 'cancel' &&
        unsentItems(facts.counts) > 0
      )
        expect(step).toEqual({ do: 'close' });
    });
  });
});

describe('the wait of an operation', () => {
  const step = (facts: Partial<OperationFacts>, parts: Partial<Omit<OperationCounts, 'expected'>> = {}) =>
    nextStep({
      state: 'running',
      control: 'run',
      selected: true,
      interactive: false,
      stuck: false,
      aliveWorkers: 1,
      counts: countsOf({ ...NONE, ...parts }),
      ...facts,
    });

  test('is for whatever comes first: something to claim, a lease that ends, a canary that is late', () => {
    const facts = { claimableInMs: 242_000, leaseInMs: 90_000, judgeInMs: 60_000 };
    expect(step(facts, { queued: 9, sending: 1 })).toEqual({ do: 'wait', ms: 60_000, until: 'judged' });
    expect(step({ ...facts, judgeInMs: 100_000 }, { queued: 9, sending: 1 })).toEqual({
      do: 'wait',
      ms: 90_000,
      until: 'lease',
    });
    expect(step({ ...facts, judgeInMs: 300_000 }, { queued: 9 })).toEqual({
      do: 'wait',
      ms: 242_000,
      until: 'due',
    });
    expect(step({ ...facts, judgeInMs: 300_000, windowHolds: true }, { queued: 9 })).toEqual({
      do: 'wait',
      ms: 242_000,
      until: 'window_ends',
    });
    expect(step({ ...facts, judgeInMs: -5_000 }, { queued: 9 })).toEqual({
      do: 'wait',
      ms: 200,
      until: 'judged',
    });
  });

  test('is for a human, once it is planned or awaits approval; before that the plan is made', () => {
    const waits = { do: 'wait', ms: 9_000, until: 'expiry' };
    const planned = { state: 'planned', selected: false, expiresInMs: 9_000 } as const;
    expect(step({ ...planned, planned: false })).toEqual({ do: 'select' });
    expect(step({ ...planned, planned: true })).toEqual(waits);
    expect(step({ ...planned, state: 'awaiting_approval', control: 'pause' })).toEqual(waits);
    expect(step({ ...planned, planned: false, control: 'pause' })).toEqual({ do: 'select' });
    // Its items may be acknowledged meanwhile: then nobody has to approve anything.
    const named = {
      state: 'awaiting_approval',
      control: 'pause',
      selected: true,
      expiresInMs: 9_000,
    } as const;
    expect(step(named, { queued: 1 })).toEqual(waits);
    expect(step(named, { delivered: 1 })).toEqual({ do: 'close' });
    expect(step({ ...planned, planned: true, control: 'cancel', state: 'closing' })).toEqual({ do: 'close' });
    expect(step({ ...planned, planned: true, state: 'accepted' })).toEqual({ do: 'select' });
  });

  test('is for the executions that it joined, once nothing of its own is left, and they are asked after ever less often', () => {
    expect(step({ joinedInMs: 0 })).toEqual({ do: 'wait', ms: 1_000, until: 'joined' });
    expect(step({ joinedInMs: 0, ageMs: 120_000 })).toMatchObject({ ms: 12_000 });
    expect(step({ joinedInMs: 0, ageMs: 86_400_000 })).toMatchObject({ ms: 60_000 });
    expect(step({ joinedInMs: 3_600_000 })).toMatchObject({ ms: 3_600_000, until: 'joined' });
    expect(step({ joinedInMs: 0, leaseInMs: 4_000 }, { sending: 1 })).toMatchObject({ until: 'lease' });
    expect(step({})).toEqual({ do: 'close' });
  });

  test('is under a cancel for requests on the wire, and for nothing else', () => {
    const facts = { control: 'cancel', state: 'closing', reconcileInMs: 3_600_000, joinedInMs: 9 } as const;
    expect(step({ ...facts, leaseInMs: 4_000 }, { sending: 1, unknown: 3 })).toEqual({
      do: 'wait',
      ms: 4_000,
      until: 'lease',
    });
    expect(step(facts, { unknown: 3 })).toEqual({ do: 'close' });
    expect(step({ ...facts, control: 'run', state: 'running' }, { unknown: 3 })).toMatchObject({
      until: 'reconciled',
    });
  });

  test('is for its expiry where a step of it has failed, whatever it was about to do', () => {
    always((facts, next) => {
      if (facts.stuck && !hasEnded(facts.state)) expect(next).toMatchObject({ do: 'wait', until: 'expiry' });
    });
    expect(step({ stuck: true, state: 'halted', control: 'cancel', expiresInMs: 7_000 })).toEqual({
      do: 'wait',
      ms: 7_000,
      until: 'expiry',
    });
  });
});

/** The course of an operation of so many items, step by step, in a world where things take their time. */
class Story {
  facts: OperationFacts;
  steps = 0;
  elapsedMs = 0;
  readonly #items: number;
  readonly #endings: number[];

  constructor(items: number, facts: Partial<OperationFacts>, endings: number[]) {
    this.#items = items;
    this.#endings = endings;
    this.facts = {
      state: 'accepted',
      control: 'run',
      selected: false,
      interactive: false,
      counts: countsOf(NONE),
      stuck: false,
      aliveWorkers: 1,
      ...facts,
    };
  }

  take(step: NextStep): void {
    this.steps += 1;
    if (step.do === 'wait') this.#pass(step.ms);
    if (step.do === 'select')
      this.facts = {
        ...this.facts,
        selected: true,
        claimableInMs: 0,
        ...this.#move({ queued: this.#items }),
      };
    if (step.do === 'dispatch') this.#dispatch();
    if (step.do === 'close') this.#close();
    expect(addsUp(this.facts.counts)).toBe(true);
  }

  #move(by: Partial<OperationCounts>): { counts: OperationCounts } {
    const counts = { ...this.facts.counts };
    for (const [part, n] of Object.entries(by)) {
      counts[part as keyof OperationCounts] += n;
      counts.expected += n;
    }
    return { counts };
  }

  /** A slice sends what is due; each time something else comes of it. */
  #dispatch(): void {
    const { counts } = this.facts;
    this.#pass(1_000);
    const unsent = unsentItems(counts);
    const away = { queued: -counts.queued, scheduled: -counts.scheduled };
    switch ((this.#endings.shift() ?? 0) % 4) {
      case 1:
        this.facts = {
          ...this.facts,
          claimableInMs: 60_000,
          ...this.#move({ ...away, scheduled: unsent - counts.scheduled }),
        };
        return;
      case 2:
        this.facts = { ...this.facts, leaseInMs: 9_000, ...this.#move({ ...away, sending: unsent }) };
        break;
      case 3:
        this.facts = { ...this.facts, reconcileInMs: 3_600_000, ...this.#move({ ...away, unknown: unsent }) };
        break;
      default:
        this.facts = { ...this.facts, ...this.#move({ ...away, delivered: unsent }) };
    }
    delete this.facts.claimableInMs;
  }

  #close(): void {
    const { counts, control } = this.facts;
    const unsent = unsentItems(counts);
    if (unsent > 0) {
      this.facts = {
        ...this.facts,
        ...this.#move({ queued: -counts.queued, scheduled: -counts.scheduled, cancelled: unsent }),
      };
      delete this.facts.claimableInMs;
      return;
    }
    const remaining = counts.expected - counts.delivered;
    const remainder = { count: remaining, byReason: {} };
    this.facts = { ...this.facts, state: closingState(remainder, control === 'cancel') };
  }

  #pass(ms: number): void {
    this.elapsedMs += ms;
    const { facts } = this;
    const earlier = (inMs: number) => inMs - ms;
    if (facts.claimableInMs !== undefined) facts.claimableInMs = Math.max(0, earlier(facts.claimableInMs));
    if (facts.reconcileInMs !== undefined) facts.reconcileInMs = earlier(facts.reconcileInMs);
    if (facts.leaseInMs !== undefined) facts.leaseInMs = earlier(facts.leaseInMs);
    if (facts.expiresInMs !== undefined) facts.expiresInMs = earlier(facts.expiresInMs);
    if (facts.leaseInMs !== undefined && facts.leaseInMs <= 0) {
      const { sending } = facts.counts;
      this.facts = { ...facts, ...this.#move({ sending: -sending, scheduled: sending }), claimableInMs: 0 };
      delete this.facts.leaseInMs;
    }
    if (facts.control === 'pause' && (facts.expiresInMs ?? 0) <= 0)
      this.facts = { ...this.facts, control: 'cancel' };
  }
}

describe('an operation', () => {
  test('comes to its end in a number of steps that does not depend on its items, whatever its sends come to', () => {
    const anyStory = fc.record({
      items: fc.integer({ min: 0, max: 10_000_000 }),
      control: fc.constantFrom('run', 'pause', 'cancel'),
      endings: fc.array(fc.nat({ max: 3 }), { maxLength: 12 }),
      selected: fc.boolean(),
    });
    fc.assert(
      fc.property(anyStory, ({ items, control, endings, selected }) => {
        const length = endings.length;
        const story = new Story(items, { control, selected, expiresInMs: 604_800_000 }, endings);
        for (let step = nextStep(story.facts); step.do !== 'end'; step = nextStep(story.facts)) {
          story.take(step);
          expect(story.steps).toBeLessThan(10 + 4 * length);
        }
        expect(hasEnded(story.facts.state)).toBe(true);
        expect(unsentItems(story.facts.counts) + story.facts.counts.sending).toBe(0);
      }),
    );
  });
});

describe('an interactive operation', () => {
  const step = (ageMs: number, parts: Partial<typeof NONE>, more: Partial<OperationFacts> = {}) =>
    nextStep({
      state: 'running',
      control: 'run',
      selected: true,
      interactive: true,
      stuck: false,
      aliveWorkers: 1,
      ageMs,
      leaseInMs: 20_000,
      counts: countsOf({ ...NONE, ...parts }),
      ...more,
    });

  test('is watched closely at first, as it mostly takes no time', () => {
    expect(step(0, { sending: 1 })).toEqual({ do: 'dispatch', slices: 1 });
    expect(step(0, { queued: 1 }, { claimableInMs: 0 })).toEqual({ do: 'dispatch', slices: 1 });
  });

  test('that takes its time is looked at now and then, and holds no place that others need', () => {
    expect(step(10_000, { sending: 1 })).toEqual({ do: 'wait', ms: 20_000, until: 'lease' });
    expect(step(10_000, { queued: 1 }, { claimableInMs: 0 })).toEqual({
      do: 'wait',
      ms: 5_000,
      until: 'sent',
    });
  });
});
