import { describe, expect, test } from '@jest/globals';
import { createTokenBuckets } from '../../../src/api/limits/token-buckets.ts';

function buckets() {
  const clock = { ms: 0 };
  const take = createTokenBuckets({ requests: 100, windowSeconds: 60, burst: 200 }, () => clock.ms);
  return { clock, take };
}

describe('a token bucket', () => {
  test('gives its burst at once and then what flows in', () => {
    const { clock, take } = buckets();
    for (let n = 0; n < 200; n += 1) expect(take('a').allowed).toBe(true);
    expect(take('a')).toMatchObject({ allowed: false, left: 0, waitMs: 600 });
    clock.ms += 599;
    expect(take('a').allowed).toBe(false);
    clock.ms += 1;
    expect(take('a').allowed).toBe(true);
    clock.ms += 60_000;
    const taken = Array.from({ length: 150 }, () => take('a').allowed).filter(Boolean);
    expect(taken).toHaveLength(100);
  });

  test('never holds more than its burst', () => {
    const { clock, take } = buckets();
    clock.ms += 3_600_000;
    expect(take('a')).toEqual({ allowed: true, left: 199, waitMs: 0, fullInMs: 600 });
  });

  test('is one for each key', () => {
    const { take } = buckets();
    for (let n = 0; n < 200; n += 1) take('a');
    expect([take('a').allowed, take('b').allowed]).toEqual([false, true]);
  });

  test('is not forgotten before it is full again, however many others there are', () => {
    const { clock, take } = buckets();
    for (let n = 0; n < 200; n += 1) take('a');
    for (let n = 0; n < 20_000; n += 1) take(`other-${n}`);
    expect(take('a').allowed).toBe(false);
    clock.ms += 121_000;
    for (let n = 0; n < 20_000; n += 1) take(`late-${n}`);
    expect(take('a').allowed).toBe(true);
  });
});
