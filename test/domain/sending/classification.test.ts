import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { AttemptResult } from '../../../src/domain/sending/attempt-result.ts';
import { classify } from '../../../src/domain/sending/classification.ts';
import { FAULT_CODES, type FaultCode } from '../../../src/domain/sending/fault-code.ts';

function answered(status: number, retryAfterMs?: number): AttemptResult {
  const answer = { kind: 'answered', status, excerpt: new Uint8Array(), durationMs: 1 } as const;
  return retryAfterMs === undefined ? answer : { ...answer, retryAfterMs };
}

function faulted(fault: FaultCode, mayHaveArrived: boolean): AttemptResult {
  return { kind: 'faulted', fault, mayHaveArrived, durationMs: 1 };
}

const anyFault = fc.constantFrom(...FAULT_CODES);
const anyResult: fc.Arbitrary<AttemptResult> = fc.oneof(
  fc.integer({ min: 100, max: 999 }).map((status) => answered(status)),
  fc.tuple(anyFault, fc.boolean()).map(([fault, arrived]) => faulted(fault, arrived)),
  fc.constantFrom('deadline', 'stopping').map((reason) => ({ kind: 'released', reason }) as const),
);

describe('an answer', () => {
  test.each([
    [200, 'delivered', undefined],
    [204, 'delivered', undefined],
    [299, 'delivered', undefined],
    [301, 'permanent', 'http_3xx'],
    [304, 'permanent', 'http_3xx'],
    [400, 'permanent', 'http_4xx'],
    [404, 'permanent', 'http_4xx'],
    [408, 'retryable', 'http_408'],
    [409, 'retryable', 'http_409'],
    [410, 'gone', 'http_410'],
    [425, 'retryable', 'http_425'],
    [429, 'retryable', 'http_429'],
    [500, 'retryable', 'http_5xx'],
    [503, 'retryable', 'http_5xx'],
    [799, 'retryable', 'http_5xx'],
  ])('of %i is %s', (status, outcome, faultCode) => {
    expect(classify(answered(status))).toEqual({
      outcome,
      ...(faultCode === undefined ? {} : { faultCode }),
      httpStatus: status,
      mayHaveArrived: false,
    });
  });

  test('hands its Retry-After on unless it is a success', () => {
    expect(classify(answered(429, 5_000)).retryAfterMs).toBe(5_000);
    expect(classify(answered(503, 0)).retryAfterMs).toBe(0);
    expect(classify(answered(200, 5_000))).not.toHaveProperty('retryAfterMs');
  });
});

describe('a fault', () => {
  test.each([
    'connection_refused',
    'dns_failure',
    'connect_timeout',
    'tls_failure',
    'connection_reset',
  ] as const)('%s before the request left is certainly unsent', (fault) => {
    expect(classify(faulted(fault, false))).toEqual({
      outcome: 'unsent',
      faultCode: fault,
      mayHaveArrived: false,
    });
  });

  test.each(['timeout', 'connection_reset', 'invalid_response', 'lease_lost', 'tls_failure'] as const)(
    '%s after the request left is ambiguous',
    (fault) => {
      expect(classify(faulted(fault, true))).toEqual({
        outcome: 'ambiguous',
        faultCode: fault,
        mayHaveArrived: true,
      });
    },
  );

  test('of a forbidden address or a request that cannot be built is permanent', () => {
    expect(classify(faulted('address_blocked', false)).outcome).toBe('permanent');
    expect(classify(faulted('invalid_request', false)).outcome).toBe('permanent');
  });
});

describe('every result', () => {
  test('is ambiguous exactly when it may have arrived without a status', () => {
    fc.assert(
      fc.property(anyResult, (result) => {
        const { outcome, mayHaveArrived } = classify(result);
        expect(mayHaveArrived).toBe(outcome === 'ambiguous');
        if (result.kind === 'faulted') expect(mayHaveArrived).toBe(result.mayHaveArrived);
      }),
    );
  });

  test('is delivered exactly when its status is 2xx', () => {
    fc.assert(
      fc.property(anyResult, (result) => {
        const success = result.kind === 'answered' && result.status >= 200 && result.status < 300;
        expect(classify(result).outcome === 'delivered').toBe(success);
      }),
    );
  });

  test('names a fault unless it is delivered or released', () => {
    fc.assert(
      fc.property(anyResult, (result) => {
        const { outcome, faultCode } = classify(result);
        expect(faultCode === undefined).toBe(outcome === 'delivered' || outcome === 'released');
      }),
    );
  });
});
