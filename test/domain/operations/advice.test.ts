import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ENDPOINT_STATES } from '../../../src/domain/endpoints/endpoint-state.ts';
import { ADVICE_STEPS, type AdviceFacts, advise } from '../../../src/domain/operations/advice.ts';
import { DELIVERY_STATES } from '../../../src/domain/sending/delivery-state.ts';
import { FAULT_CODES, type FaultCode } from '../../../src/domain/sending/fault-code.ts';
import { FAULT_WORDS } from '../../../src/domain/sending/fault-words.ts';

const IDS = {
  deliveryId: 'dlv_1',
  endpointId: 'end_1',
  heldBy: 'op_1',
  resentBy: 'dlv_2',
  blockedBy: 'dlv_0',
};

const FAILED = {
  delivery: 'failed',
  endpoint: 'enabled',
  payloadKept: true,
  suppressedDuplicate: false,
  attempts: 3,
  imported: false,
  faultCode: 'http_5xx',
  mayHaveArrived: false,
  waitingFor: [],
  circuit: 'closed',
} satisfies AdviceFacts;
const of = (facts: Partial<AdviceFacts>) => advise({ ...FAILED, ...facts }, IDS);
const queued = (facts: Partial<AdviceFacts> = {}): Partial<AdviceFacts> => ({
  open: { state: 'queued', holder: { by: 'live_lane' } },
  ...facts,
});

describe('the advice about a delivery', () => {
  test('that failed for something that may pass is to retry it', () => {
    expect(of({})).toEqual({
      happened: 'Its receiver had an error of its own.',
      step: 'retry',
      why: 'Nothing speaks against sending it again.',
      next: 'POST /api/v1/retries with dlv_1.',
      retry: { fate: 'will_be_sent' },
    });
    expect(of({ circuit: 'half_open' }).step).toBe('retry');
  });

  test.each(FAULT_CODES)(
    'that failed for %s says so, and what is to be done first',
    (faultCode: FaultCode) => {
      const { fix, what } = FAULT_WORDS[faultCode];
      const advice = of({ faultCode });
      expect(advice.happened).toBe(what);
      expect(advice.step).toBe(fix === undefined ? 'retry' : 'fix_endpoint');
      expect(advice.next).not.toMatch(/[{}]/);
      expect(advice.next).toContain('POST /api/v1/retries with dlv_1');
    },
  );

  test('that may have arrived is to ask first, and to correct first what does not pass by itself', () => {
    expect(of({ faultCode: 'timeout', mayHaveArrived: true })).toMatchObject({
      happened: 'No answer came in time. It may have arrived all the same.',
      step: 'confirm',
    });
    expect(of({ faultCode: 'http_4xx', mayHaveArrived: true }).step).toBe('fix_endpoint');
  });

  test('that may have arrived names what the receiver knows', () => {
    const asks = (more: object) =>
      advise({ ...FAILED, imported: true, mayHaveArrived: true }, { ...IDS, ...more }).next;
    expect(asks({})).toContain('whether it has dlv_1,');
    expect(asks({ webhookId: 'msg_1' })).toContain('whether it has msg_1,');
    expect(asks({ foreignEventId: 'order-1' })).toMatch(
      /whether it has the event order-1\. Then: POST .* dlv_1/,
    );
    expect(asks({ foreignEventId: 'order-1' })).not.toContain('webhook-id');
  });

  test.each([
    ['delivered', { delivery: 'delivered' }, 'none', 'already_delivered'],
    ['without a payload', { payloadKept: false }, 'send_again', 'payload_expired'],
    ['at a deleted endpoint', { endpoint: 'deleted' }, 'send_again', 'endpoint_deleted'],
    ['at a disabled endpoint', { endpoint: 'disabled' }, 'fix_endpoint', 'endpoint_disabled'],
    ['that repeats another event', { suppressedDuplicate: true }, 'follow', 'suppressed_duplicate'],
    [
      'that repeats one that is gone',
      { suppressedDuplicate: true, firstGone: true },
      'send_again',
      'suppressed_duplicate',
    ],
    ['that was sent again', { resent: true }, 'follow', 'resent'],
    ['of which nobody knows', { open: { state: 'unknown' } }, 'settle', 'outcome_unknown'],
    ['on the wire', { open: { state: 'sending' } }, 'wait', 'coalesced'],
    ['in the queue', queued(), 'wait', 'coalesced'],
  ] as const)('%s is what is to be done instead', (_, facts, step, reason) => {
    expect(of(facts)).toMatchObject({ step, retry: { reason } });
  });

  test('that a stopped operation holds is to release it, though a retry of it alone would take it over', () => {
    const held = (more: object): Partial<AdviceFacts> => ({
      open: {
        state: 'scheduled',
        holder: { by: 'operation', control: 'run', state: 'running', canaryHeld: false, ...more },
      },
    });
    for (const stopped of [{ control: 'pause', state: 'paused' }, { canaryHeld: true }])
      expect(of(held(stopped))).toMatchObject({
        step: 'release',
        next: expect.stringContaining('/api/v1/retries/op_1/resume'),
        retry: { fate: 'will_be_sent' },
      });
    expect(of(held({})).step).toBe('wait');
  });

  test('that waits for something that does not pass is to see to that', () => {
    expect(of(queued({ waitingFor: [{ what: 'endpoint_disabled' }] }))).toMatchObject({
      step: 'fix_endpoint',
      next: expect.stringContaining('/api/v1/endpoints/end_1/enable'),
    });
    expect(of(queued({ waitingFor: [{ what: 'due' }, { what: 'order' }] }))).toMatchObject({
      step: 'follow',
      next: expect.stringContaining('dlv_0/advice'),
    });
    expect(of(queued({ waitingFor: [{ what: 'rate' }] })).step).toBe('wait');
  });

  test('at an endpoint that is left alone is to wait for it', () => {
    expect(of({ circuit: 'open' })).toMatchObject({ step: 'wait', retry: { fate: 'will_be_sent' } });
  });

  test('without an attempt says that there was none', () => {
    const { faultCode: _, ...untried } = { ...FAILED, attempts: 0 };
    expect(advise({ ...untried, delivery: 'cancelled' }, IDS)).toMatchObject({
      happened: 'No request was ever made for it.',
      step: 'retry',
    });
    expect(advise({ ...untried, delivery: 'pending', ...queued() }, IDS).happened).toBe(
      'No request was made for it yet.',
    );
  });
});

test('whatever is so: a retry is advised where it would be sent, something else where it would not, in whole sentences', () => {
  const facts = fc.record(
    {
      delivery: fc.constantFrom(...DELIVERY_STATES),
      endpoint: fc.constantFrom(...ENDPOINT_STATES),
      payloadKept: fc.boolean(),
      suppressedDuplicate: fc.boolean(),
      resent: fc.boolean(),
      attempts: fc.nat(3),
      imported: fc.boolean(),
      firstGone: fc.boolean(),
      faultCode: fc.constantFrom(...FAULT_CODES),
      mayHaveArrived: fc.boolean(),
      waitingFor: fc.constant<AdviceFacts['waitingFor']>([]),
      circuit: fc.constantFrom('closed' as const, 'open' as const, 'half_open' as const),
      open: fc.constantFrom<NonNullable<AdviceFacts['open']>>(
        { state: 'sending' },
        { state: 'unknown' },
        { state: 'queued', holder: { by: 'live_lane' } },
      ),
    },
    {
      requiredKeys: [
        'delivery',
        'endpoint',
        'payloadKept',
        'suppressedDuplicate',
        'attempts',
        'imported',
        'mayHaveArrived',
        'waitingFor',
        'circuit',
      ],
    },
  );
  const seen = new Set<string>();
  fc.assert(
    fc.property(facts, (some) => {
      const advice = advise(some, IDS);
      seen.add(advice.step);
      if (advice.step === 'retry' || advice.step === 'confirm')
        expect(advice.retry.fate).toBe('will_be_sent');
      if (advice.retry.fate === 'cannot')
        expect(['none', 'follow', 'send_again', 'fix_endpoint']).toContain(advice.step);
      for (const sentence of [advice.happened, advice.why, advice.next]) {
        expect(sentence).toMatch(/^[A-Z].*[.)]$/);
        expect(sentence).not.toMatch(/undefined|\{|\}/);
      }
    }),
    // So rare among all that may be that thousands may have none of them.
    { numRuns: 3_000, examples: [[FAILED], [{ ...FAILED, faultCode: 'timeout', mayHaveArrived: true }]] },
  );
  expect([...seen].sort()).toEqual(ADVICE_STEPS.filter((step) => step !== 'release').sort());
});
