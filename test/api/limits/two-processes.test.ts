import { expect, test } from '@jest/globals';
import { createPool } from '../../../src/store/db/pool.ts';
import { startTestApi } from '../../support/api/test-api.ts';
import { useApi } from '../../support/api/use-api.ts';
import { closedAfterEach } from '../../support/use.ts';

const api = useApi();
const closing = closedAfterEach();

/** Another API on the same database, with connections of its own, as another process has them. */
async function another(requests: number) {
  const pool = createPool(api.database.url, { max: 5, applicationName: 'another-api' });
  closing({ close: () => pool.end() });
  return closing(
    await startTestApi({ pool, sealer: api.sealer, rateLimit: { requests, windowSeconds: 600 } }),
  );
}

test('a tenant has one limit at a surface, whichever API it asks', async () => {
  const [one, two] = [await another(20), await another(20)];
  const { key } = await api.newTenant();
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, n) => (n % 2 ? one : two).call('GET', '/api/v1/endpoints', { key })),
  );
  const statuses = answers.map(({ status }) => status);
  const allowed = statuses.filter((status) => status === 200).length;
  // One in 30 seconds flows in.
  expect(allowed).toBeGreaterThanOrEqual(20);
  expect(allowed).toBeLessThan(30);
  expect(new Set(statuses)).toEqual(new Set([200, 429]));
  const { key: other } = await api.newTenant();
  expect((await one.call('GET', '/api/v1/endpoints', { key: other })).status).toBe(200);
});

test('what one API has counted is seen by one that starts later', async () => {
  const { key } = await api.newTenant();
  const first = await another(5);
  for (let n = 0; n < 5; n += 1) await first.call('GET', '/api/v1/endpoints', { key });
  const later = await another(5);
  const refused = await later.call('GET', '/api/v1/endpoints', { key });
  expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(60);
});
