import { describe, expect, test } from '@jest/globals';
import { ENDPOINT_STATES } from '../../../src/domain/endpoints/endpoint-state.ts';
import { OPERATION_STATES } from '../../../src/domain/operations/operation-state.ts';
import {
  exclusionOf,
  type Holder,
  type RetryFacts,
  type RetryRequest,
  retryFate,
} from '../../../src/domain/operations/retry-fate.ts';
import { retryWords } from '../../../src/domain/operations/retry-words.ts';
import { EXCLUSION_REASONS } from '../../../src/domain/operations/selection.ts';
import { DELIVERY_STATES } from '../../../src/domain/sending/delivery-state.ts';

const failed: RetryFacts = {
  delivery: 'failed',
  endpoint: 'enabled',
  payloadKept: true,
  suppressedDuplicate: false,
};
const plain: RetryRequest = {
  kind: 'retry',
  takesOverScheduled: false,
  takesOverStopped: false,
  matchesFilters: false,
};
const single: RetryRequest = { ...plain, takesOverStopped: true };
const taking: RetryRequest = { ...plain, takesOverScheduled: true, takesOverStopped: true };
const operation = (more: Partial<Extract<Holder, { by: 'operation' }>> = {}): Holder => ({
  by: 'operation',
  control: 'run',
  state: 'running',
  canaryHeld: false,
  ...more,
});
const heldBy = (holder: Holder, more: Partial<RetryFacts> = {}): RetryFacts => ({
  ...failed,
  open: { state: 'scheduled', holder },
  ...more,
});

describe('a retry of a delivery', () => {
  test('that failed, was cancelled or was ignored is sent, and so is a replay of a delivered one', () => {
    for (const delivery of DELIVERY_STATES.filter((state) => state !== 'delivered'))
      expect(retryFate({ ...failed, delivery }, plain)).toEqual({ fate: 'will_be_sent', takesOver: false });
    expect(retryFate({ ...failed, delivery: 'delivered' }, { ...plain, kind: 'replay' })).toMatchObject({
      fate: 'will_be_sent',
    });
  });

  test('that is delivered does nothing, whatever else is known of the delivery', () => {
    const opens: RetryFacts['open'][] = [
      undefined,
      { state: 'sending' },
      { state: 'unknown' },
      { state: 'queued', holder: operation() },
    ];
    for (const open of opens)
      for (const endpoint of ENDPOINT_STATES)
        expect(
          retryFate({ ...failed, delivery: 'delivered', ...(open ? { open } : {}), endpoint }, taking),
        ).toEqual({ fate: 'cannot', reason: 'already_delivered' });
  });

  test('that is on the wire joins; of one whose outcome is unknown it waits for that; neither takes over', () => {
    expect(retryFate({ ...failed, open: { state: 'sending' } }, taking)).toEqual({ fate: 'joins' });
    expect(retryFate({ ...failed, open: { state: 'unknown' } }, taking)).toEqual({
      fate: 'waits',
      for: 'outcome',
    });
  });

  test('under a new identity leaves alone what is open, whoever holds it and whatever it may', () => {
    const replay = { ...taking, kind: 'replay', newIdentity: true } as const;
    for (const holder of [
      { by: 'live_lane' } as const,
      operation(),
      operation({ control: 'cancel' }),
      operation({ state: 'closing' }),
    ])
      expect(retryFate(heldBy(holder), replay)).toEqual({ fate: 'joins' });
    expect(retryFate(heldBy(operation({ control: 'pause', state: 'paused' })), replay)).toEqual({
      fate: 'waits',
      for: 'pause',
    });
    for (const delivery of ['failed', 'delivered'] as const)
      expect(retryFate({ ...failed, delivery }, replay)).toEqual({ fate: 'will_be_sent', takesOver: false });
  });

  test('that somebody else will send joins, or takes over where it may', () => {
    for (const holder of [{ by: 'live_lane' } as const, operation(), operation({ state: 'selecting' })]) {
      expect(retryFate(heldBy(holder), single)).toEqual({ fate: 'joins' });
      expect(retryFate(heldBy(holder), taking)).toEqual({ fate: 'will_be_sent', takesOver: true });
    }
  });

  test('that is held by an operation that ends takes over, whatever the request', () => {
    for (const holder of [operation({ control: 'cancel' }), operation({ state: 'closing' })])
      expect(retryFate(heldBy(holder), plain)).toEqual({ fate: 'will_be_sent', takesOver: true });
  });

  test('that is held by a stopped operation takes over if it is single, and otherwise waits for that pause, halt or canary', () => {
    for (const [stopped, word] of [
      [operation({ control: 'pause', state: 'paused' }), 'pause'],
      [operation({ control: 'pause' }), 'pause'],
      [operation({ control: 'pause', state: 'halted' }), 'halt'],
      [operation({ control: 'pause', state: 'awaiting_approval' }), 'approval'],
      [operation({ canaryHeld: true }), 'canary'],
    ] as const) {
      expect(retryFate(heldBy(stopped), plain)).toEqual({ fate: 'waits', for: word });
      for (const request of [single, taking])
        expect(retryFate(heldBy(stopped), request)).toEqual({ fate: 'will_be_sent', takesOver: true });
    }
  });

  test('that a freeze window holds takes over if it is single, and otherwise joins what goes on by itself', () => {
    const held = heldBy(operation({ windowHolds: true }));
    expect(retryFate(held, plain)).toEqual({ fate: 'joins' });
    for (const request of [single, taking])
      expect(retryFate(held, request)).toEqual({ fate: 'will_be_sent', takesOver: true });
  });

  test('whose endpoint takes nothing, or whose payload is gone, does nothing, and leaves an open execution alone', () => {
    for (const facts of [failed, heldBy({ by: 'live_lane' }), heldBy(operation({ control: 'pause' }))]) {
      expect(retryFate({ ...facts, endpoint: 'disabled' }, taking)).toEqual({
        fate: 'cannot',
        reason: 'endpoint_disabled',
      });
      expect(retryFate({ ...facts, endpoint: 'deleted' }, taking)).toEqual({
        fate: 'cannot',
        reason: 'endpoint_deleted',
      });
      expect(retryFate({ ...facts, endpoint: 'disabled', payloadKept: false }, taking)).toEqual({
        fate: 'cannot',
        reason: 'payload_expired',
      });
    }
  });

  test('that repeats another, or changed after the request, does nothing, as long as nobody sends it already', () => {
    expect(retryFate({ ...failed, suppressedDuplicate: true, payloadKept: false }, plain)).toEqual({
      fate: 'cannot',
      reason: 'suppressed_duplicate',
    });
    expect(retryFate({ ...failed, changedSince: true }, plain)).toEqual({
      fate: 'cannot',
      reason: 'changed_since',
    });
    expect(retryFate(heldBy({ by: 'live_lane' }, { changedSince: true }), plain)).toEqual({ fate: 'joins' });
  });

  test('is never sent at an endpoint that is not enabled, without a payload, or while it is on the wire', () => {
    const holders = [
      { by: 'live_lane' } as const,
      ...(['run', 'pause', 'cancel'] as const).flatMap((control) =>
        OPERATION_STATES.flatMap((state) =>
          [true, false].map((canaryHeld) => operation({ control, state, canaryHeld })),
        ),
      ),
    ];
    const opens: RetryFacts['open'][] = [
      undefined,
      { state: 'sending' },
      { state: 'unknown' },
      ...holders.map((holder) => ({ state: 'queued', holder }) as const),
    ];
    for (const delivery of DELIVERY_STATES)
      for (const open of opens)
        for (const endpoint of ENDPOINT_STATES)
          for (const payloadKept of [true, false])
            for (const request of [plain, single, taking, { ...taking, kind: 'replay' } as const]) {
              const facts = { ...failed, delivery, ...(open ? { open } : {}), endpoint, payloadKept };
              const decided = retryFate(facts, request);
              if (decided.fate === 'will_be_sent') {
                expect([endpoint, payloadKept]).toEqual(['enabled', true]);
                expect(decided.takesOver).toBe(open !== undefined);
                expect(['sending', 'unknown']).not.toContain(open?.state);
              } else expect(EXCLUSION_REASONS).toContain(exclusionOf(decided, request));
            }
  });
});

test('a delivery that was sent again is left out, unless a replay of it was confirmed; one under way goes on', () => {
  const resent = { ...failed, resent: true };
  const replay = { ...plain, kind: 'replay' } as const;
  const cannot = { fate: 'cannot', reason: 'resent' };
  for (const request of [plain, single, taking, replay, { ...plain, includesResent: true }])
    expect(retryFate(resent, request)).toEqual(cannot);
  for (const delivery of DELIVERY_STATES)
    expect(retryFate({ ...resent, delivery }, { ...replay, includesResent: true })).toMatchObject({
      fate: 'will_be_sent',
    });
  expect(retryFate({ ...resent, open: { state: 'sending' } }, plain)).toEqual({ fate: 'joins' });
});

describe('the words for it', () => {
  test('say for each reason in one sentence why, and name the next call with its ids', () => {
    const ids = { deliveryId: 'dlv_1', endpointId: 'end_1', heldBy: 'op_1', resentBy: 'dlv_2' };
    for (const reason of EXCLUSION_REASONS) {
      const { why, next } = retryWords(reason, ids);
      expect(why).toMatch(/^[A-Z][^.]+\.$/);
      expect(next).toMatch(/^[A-Z].+\.$/);
      expect(next).not.toMatch(/[{}]/);
    }
    expect(retryWords('outcome_unknown', ids).next).toContain('/api/v1/deliveries/dlv_1/resolve');
    expect(retryWords('held', ids).next).toContain('/api/v1/retries/op_1/resume');
    expect(retryWords('endpoint_disabled', ids).next).toContain('/api/v1/endpoints/end_1/enable');
  });
});
