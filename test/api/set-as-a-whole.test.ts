import { describe, expect, test } from '@jest/globals';
import { apiRoutes } from '../../src/api/server.ts';
import { SURFACES } from '../../src/surfaces/surfaces.ts';
import { useApi } from '../support/api/use-api.ts';

const api = useApi();
/** An upload is continued, and no state that others replace. */
const wholes = apiRoutes({ version: 'test' } as Parameters<typeof apiRoutes>[0], SURFACES).filter(
  ({ method, surface, upload }) => method === 'put' && surface.name === 'native' && !upload,
);

/** Two contents of each whole; a whole that is not here fails. */
const CONTENTS: Record<string, [object, object]> = {
  '/api/v1/policy': [{ approveAbove: 5 }, { reasonAbove: 6 }],
  '/api/v1/platform/policy': [{ approveAbove: 500 }, { reasonAbove: 600 }],
  '/api/v1/platform/limits': [{ itemsPerDay: 5_000_000 }, { openOperations: 50, ratePerSecond: 2.5 }],
  '/api/v1/platform/retention': [{ payloads: 7 }, { events: 30, reports: 365 }],
};

test('what is set as a whole is known here', () => {
  expect(wholes.map(({ path }) => path).sort()).toEqual(Object.keys(CONTENTS).sort());
});

describe.each(wholes.map(({ path, access }) => [path, access] as const))('PUT %s', (path, access) => {
  const [one = {}, other = {}] = CONTENTS[path] ?? [];
  const as = () => ({
    key: api.adminKey,
    headers: access.of === 'tenant' ? { 'redrive-tenant': api.tenant.handle } : {},
  });
  const get = async () => (await api.call('GET', path, as())).body;
  const put = (body: object) => api.call('PUT', path, { ...as(), body });

  test('takes the place of what was read alone: of two at once the second is told, and by whom', async () => {
    const { digest } = await get();
    const answers = await Promise.all([one, other].map((body) => put({ ...body, digest })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
    const refused = answers.find(({ status }) => status === 412);
    expect(refused?.body).toMatchObject({
      code: expect.stringMatching(/_changed$/),
      detail: expect.stringMatching(
        /^Nothing was set: key_\S+ set (another|other) \w+ at 20\S+Z\. Look at .* send .* `digest`/,
      ),
    });
    const kept = await get();
    expect(kept).toEqual(answers.find(({ status }) => status === 200)?.body);
    expect(kept.digest).not.toBe(digest);
    expect(await put({ ...one, digest: kept.digest.toUpperCase() })).toMatchObject({ status: 200 });
  });

  test('is as before without it, and where it is there already', async () => {
    const { digest } = (await put(one)).body;
    expect((await put(other)).status).toBe(200);
    expect((await put({ ...other, digest: '0'.repeat(64) })).status).toBe(200);
    expect((await put({ ...one, digest: '0'.repeat(64) })).status).toBe(412);
    expect((await put(one)).body.digest).toBe(digest);
    expect(await put({ ...one, digest: 'abc' })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '#/digest' }] },
    });
  });
});
