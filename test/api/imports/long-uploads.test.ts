import { describe, expect, test } from '@jest/globals';
import { MAX_IMPORT_BYTES } from '../../../src/domain/imports/import-limits.ts';
import { startRawRequest } from '../../support/api/raw-request.ts';
import type { TestApi } from '../../support/api/test-api.ts';
import { useApi } from '../../support/api/use-api.ts';
import { seedEndpoint } from '../../support/engine/failed-deliveries.ts';
import { eventually } from '../../support/eventually.ts';
import { goodLine } from '../../support/imports/awkward-lines.ts';
import { lines } from '../../support/imports/take.ts';
import { closedAfterEach } from '../../support/use.ts';

const MIB = 1_024 * 1_024;
/** More than the buffers between a client and the server hold. */
const REST = `${'x'.repeat(64 * 1_024)}\n`.repeat(400);

const own = closedAfterEach();
const stopping = new AbortController();
const api = useApi({ streamLimits: { checkEveryMs: 50 } });

/** An import of a tenant of its own. */
async function opened(on: TestApi = api) {
  const { key, tenant } = await on.newTenant();
  const endpointId = await seedEndpoint(on, key);
  const asked = { from: 'ndjson', map: { theirs: endpointId } };
  const { body } = await on.call('POST', '/api/v1/imports', { key, body: asked });
  const self: string = body.links.self;
  return {
    key,
    tenant,
    self,
    /** Begins an upload of so many bytes, of which nothing is sent yet. */
    begin: async (bytes = 64 * MIB, by = key) =>
      own(
        await startRawRequest(on.url, [
          `PUT ${self}/lines HTTP/1.1`,
          'host: x',
          `authorization: Bearer ${by}`,
          `content-length: ${bytes}`,
        ]),
      ),
    lines: async () => (await on.call('GET', self, { key })).body.lines as number,
    change: (set: string) =>
      on.database.pool.query(`update imports set ${set} where tenant_id = $1`, [tenant.id]),
    close: () => on.call('POST', `${self}/close`, { key }),
  };
}

const file = (count: number, from = 0) =>
  lines(Array.from({ length: count }, (_, n) => goodLine('ndjson', from + n)));

describe('an upload that is refused while it arrives', () => {
  const stopped = useApi({ shutdown: stopping.signal });

  test.each<[string, number, string, TestApi, (it: Awaited<ReturnType<typeof opened>>) => Promise<unknown>]>([
    ['was closed', 409, 'state_conflict', api, (it) => it.close()],
    ['expired', 409, 'state_conflict', api, (it) => it.change(`expires_at = now() - interval '1 second'`)],
    ['came into a server that stops', 503, 'temporarily_unavailable', stopped, async () => stopping.abort()],
  ])('as it %s is read to its end, and answered', async (_, status, code, on, happens) => {
    const it = await opened(on);
    const upload = await it.begin();
    await upload.write(file(1_000));
    await eventually('lines of it are taken', async () => (await it.lines()) >= 500);
    await happens(it);
    await upload.write(file(1_000, 1_000));
    // Whoever writes all before it reads would hang, or see a broken pipe.
    await upload.write(REST);
    const answer = await upload.answer();
    expect(answer).toMatchObject({ status });
    expect(JSON.parse(answer.text)).toMatchObject({ code });
    expect(await it.lines()).toBeLessThan(2_000);
  });

  test('as it is too large is read to its end, and answered', async () => {
    const it = await opened();
    await it.change(`bytes = ${MAX_IMPORT_BYTES - 100}`);
    const upload = await it.begin();
    await upload.write(file(3));
    await upload.write(REST);
    const answer = await upload.answer();
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'body_too_large' });
  });

  test('counts what has arrived: a line that is too long by its length, and one that does not end', async () => {
    const long = await opened();
    await long.change(`bytes = ${MAX_IMPORT_BYTES - 6 * MIB}`);
    const upload = await long.begin();
    await upload.write(`${'x'.repeat(5 * MIB)}\n${'y'.repeat(2 * MIB)}\n`);
    await upload.write(REST);
    expect(await upload.answer()).toMatchObject({ status: 413 });
    expect(await long.lines()).toBe(1);

    const endless = await opened();
    await endless.change(`bytes = ${MAX_IMPORT_BYTES - 6 * MIB}`);
    const other = await endless.begin();
    await other.write('x'.repeat(7 * MIB));
    await other.write(REST);
    expect(await other.answer()).toMatchObject({ status: 413 });
    expect(await endless.lines()).toBe(0);
  });
});

test('uploads go on two at a time for a tenant', async () => {
  const it = await opened();
  const other = await opened();
  const begun = await Promise.all(Array.from({ length: 5 }, () => it.begin()));
  const answered = new Map<(typeof begun)[number], number>();
  for (const each of begun) {
    await each.write(file(1));
    void each.answer().then(
      ({ status }) => answered.set(each, status),
      () => {},
    );
  }
  await eventually('all but two are refused', () => answered.size === 3);
  expect([...answered.values()]).toEqual([429, 429, 429]);
  const theirs = await other.begin(1);
  await theirs.write('\n');
  expect(await theirs.answer()).toMatchObject({ status: 200 });
  begun.find((each) => !answered.has(each))?.socket.destroy();
  await eventually('there is a place', async () => {
    const next = await it.begin(1);
    await next.write('\n');
    return (await next.answer()).status === 200;
  });
});

test('an upload ends with its key, and what came before is taken', async () => {
  const it = await opened();
  const key = await api.newKey(it.tenant.id, ['write:imports']);
  const upload = await it.begin(64 * MIB, key);
  await upload.write(file(1_000));
  await eventually('lines of it are taken', async () => (await it.lines()) >= 500);
  await api.database.pool.query(
    `update api_keys set revoked_at = now() where scopes = '{write:imports}' and tenant_id = $1`,
    [it.tenant.id],
  );
  let answered = false;
  const answer = upload.answer().finally(() => {
    answered = true;
  });
  let sent = 1_000;
  await eventually('it has ended', async () => {
    if (!answered) await upload.write(file(1, sent++));
    return answered;
  });
  expect(await answer).toMatchObject({ status: 401 });
  expect(JSON.parse((await answer).text)).toMatchObject({ code: 'credential_revoked' });
  const taken = await it.lines();
  expect(taken).toBeGreaterThanOrEqual(1_000);
  await upload.write(file(1_000, sent));
  const whole = file(sent + 1_000);
  const again = await it.begin(Buffer.byteLength(whole));
  await again.write(whole);
  expect(JSON.parse((await again.answer()).text)).toMatchObject({ lines: sent + 1_000, duplicates: 0 });
  expect(taken).toBeLessThan(sent + 1_000);
});
