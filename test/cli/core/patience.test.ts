import { describe, expect, test } from '@jest/globals';
import { mayPass, Patience } from '../../../cli/src/core/patience.ts';
import { isRepeatable } from '../../../cli/src/core/repeatable.ts';
import { usage } from '../../../cli/src/core/stop.ts';
import { ProblemError, UnexpectedAnswerError } from '../../../clients/typescript/src/index.ts';

describe('patience', () => {
  test('waits longer and longer, as long as an answer asks for, and ends', () => {
    let now = 0;
    const patience = new Patience(20_000, () => now);
    const waited: (number | undefined)[] = [];
    for (const asked of [0, 0, 5_000, 0, 0, 0]) {
      const waitMs = patience.next(asked);
      waited.push(waitMs);
      now += waitMs ?? 0;
    }
    expect(waited).toEqual([500, 1_000, 5_000, 4_000, 8_000, undefined]);
  });

  test('is for what may pass, and for nothing that was refused', () => {
    const problem = (code: string, status: number) =>
      new ProblemError({ code, status, title: code, detail: code } as never);
    const lost = new TypeError('fetch failed', {
      cause: Object.assign(new Error(), { code: 'ECONNREFUSED' }),
    });
    const passing = [lost, new TypeError('terminated'), new UnexpectedAnswerError(502)];
    expect(
      [...passing, problem('temporarily_unavailable', 503), problem('rate_limited', 429)].map(mayPass),
    ).toEqual([true, true, true, true, true]);
    const final = [
      usage('x'),
      new Error('x'),
      new UnexpectedAnswerError(413),
      problem('state_conflict', 409),
    ];
    expect(final.map(mayPass)).toEqual([false, false, false, false]);
  });
});

test.each([
  ['GET', '/api/v1/retries', true],
  ['POST', '/api/v1/retries/plans/pln_1/execute', true],
  ['POST', '/api/v1/imports/imp_1/close', true],
  ['POST', '/api/v1/imports/imp_1/abandon', true],
  ['POST', '/api/v1/imports', false],
  ['POST', '/api/v1/events', false],
  ['PUT', '/api/v1/imports/imp_1/lines', false],
])('%s %s is made again where the connection broke: %s', (method, path, again) => {
  expect(isRepeatable({ method, path, idempotencyKey: false })).toBe(again);
});
