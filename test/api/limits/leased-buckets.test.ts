import { describe, expect, test } from '@jest/globals';
import { createLeasedBuckets, type TakeShared } from '../../../src/api/limits/leased-buckets.ts';

/** A shared bucket in memory that nothing flows into, and how often it was asked. */
function shared(tokens: number) {
  const bucket = { tokens, asked: 0 };
  const take: TakeShared = async (_key, wanted) => {
    bucket.asked += 1;
    const granted = Math.min(wanted, bucket.tokens);
    bucket.tokens -= granted;
    return { granted, left: bucket.tokens };
  };
  return { bucket, take };
}

const MANY = { requests: 20_000, windowSeconds: 10, burst: 20_000 };
const FEW = { requests: 3, windowSeconds: 60, burst: 3 };

describe('a process that shares a limit', () => {
  test('asks once for a hundredth of many requests', async () => {
    const { bucket, take } = shared(20_000);
    const process = createLeasedBuckets(MANY, take, () => 0);
    for (let n = 0; n < 1_000; n += 1) expect((await process('a')).allowed).toBe(true);
    expect(bucket).toEqual({ tokens: 19_000, asked: 5 });
  });

  test('takes few requests one by one, so that another process finds the rest', async () => {
    const { take } = shared(3);
    const [one, other] = [createLeasedBuckets(FEW, take, () => 0), createLeasedBuckets(FEW, take, () => 0)];
    const allowed = [await one('a'), await other('a'), await one('a'), await other('a'), await one('a')];
    expect(allowed.map((taken) => taken.allowed)).toEqual([true, true, true, false, false]);
    expect(allowed.at(0)).toMatchObject({ left: 2, fullInMs: 20_000 });
  });

  test('asks once for all that come together', async () => {
    const { bucket, take } = shared(3);
    const process = createLeasedBuckets(FEW, take, () => 0);
    const taken = await Promise.all(Array.from({ length: 10 }, () => process('a')));
    expect(taken.filter(({ allowed }) => allowed)).toHaveLength(3);
    expect(bucket.asked).toBeLessThanOrEqual(3);
  });

  test('asks an empty bucket no more often than something can have flowed in', async () => {
    const { bucket, take } = shared(0);
    const clock = { ms: 0 };
    const process = createLeasedBuckets(FEW, take, () => clock.ms);
    expect(await process('a')).toMatchObject({ allowed: false, waitMs: 20_000, left: 0 });
    clock.ms = 19_999;
    expect((await process('a')).allowed).toBe(false);
    expect(bucket.asked).toBe(1);
    clock.ms = 20_000;
    bucket.tokens = 1;
    expect((await process('a')).allowed).toBe(true);
    expect(bucket.asked).toBe(2);
  });

  test('keeps what it took in advance for one window, and no longer', async () => {
    const { bucket, take } = shared(400);
    const clock = { ms: 0 };
    const process = createLeasedBuckets(MANY, take, () => clock.ms);
    await process('a');
    clock.ms = 10_000;
    await process('a');
    expect(bucket).toEqual({ tokens: 0, asked: 2 });
  });

  test('goes on when a question has failed', async () => {
    let failing = true;
    const process = createLeasedBuckets(FEW, async () => {
      if (failing) throw new Error('away');
      return { granted: 1, left: 2 };
    });
    await expect(process('a')).rejects.toThrow('away');
    failing = false;
    expect((await process('a')).allowed).toBe(true);
  });
});
