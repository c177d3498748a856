import { describe, expect, test } from '@jest/globals';
import { forgetBuckets, takeFromBucket } from '../../../src/store/tenancy/rate-buckets.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();

/** A bucket that fills so slowly that nothing flows in while a test runs. */
const slow = (holder: string) => ({ surface: 'native', holder, burst: 10, perSecond: 1e-6 });

const back = (holder: string, seconds: number) =>
  store.pool.query(
    `update rate_buckets set filled_at = filled_at - $2::float8 * interval '1 second' where holder = $1`,
    [holder, seconds],
  );

describe('a bucket that processes share', () => {
  test('gives what it holds, whole tokens only, and then nothing', async () => {
    const bucket = slow('a');
    expect(await takeFromBucket(store.pool, bucket, 4)).toEqual({ granted: 4, left: 6 });
    expect((await takeFromBucket(store.pool, bucket, 4)).granted).toBe(4);
    expect((await takeFromBucket(store.pool, bucket, 4)).granted).toBe(2);
    expect((await takeFromBucket(store.pool, bucket, 4)).granted).toBe(0);
    expect((await takeFromBucket(store.pool, slow('b'), 4)).granted).toBe(4);
  });

  test('gives each token once, however many take at the same time', async () => {
    const bucket = { ...slow('together'), burst: 100 };
    const taken = await Promise.all(
      Array.from({ length: 50 }, (_, n) => takeFromBucket(store.pool, bucket, 1 + (n % 7))),
    );
    expect(taken.reduce((sum, { granted }) => sum + granted, 0)).toBe(100);
  });

  test('fills by the clock of the database, up to what it holds at most', async () => {
    const bucket = { surface: 'native', holder: 'fills', burst: 10, perSecond: 1 };
    await takeFromBucket(store.pool, bucket, 10);
    await back('fills', 4);
    expect(
      (await takeFromBucket(store.pool, { ...bucket, perSecond: 1 }, 10)).granted,
    ).toBeGreaterThanOrEqual(4);
    await back('fills', 3_600);
    expect((await takeFromBucket(store.pool, bucket, 50)).granted).toBe(10);
  });

  test('is not emptied by a clock that was set back', async () => {
    await takeFromBucket(store.pool, slow('earlier'), 3);
    await back('earlier', -3_600);
    expect((await takeFromBucket(store.pool, slow('earlier'), 7)).granted).toBe(7);
  });

  test('is forgotten once nobody has asked for long', async () => {
    await takeFromBucket(store.pool, slow('old'), 1);
    await takeFromBucket(store.pool, slow('young'), 1);
    await back('old', 7_200);
    await forgetBuckets(store.pool, 3_600_000, 1_000);
    const { rows } = await store.pool.query(
      `select holder from rate_buckets where holder in ('old', 'young')`,
    );
    expect(rows).toEqual([{ holder: 'young' }]);
  });
});
