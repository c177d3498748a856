import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { verifyChain } from '../../clients/typescript/src/proof/verify-chain.ts';
import type { SealedEntry } from '../../src/domain/audit/audit-entry.ts';
import { GRANTS } from '../../src/domain/tenancy/grant.ts';
import { SCOPES } from '../../src/domain/tenancy/scope.ts';
import { useApi } from '../support/api/use-api.ts';
import { runCli } from '../support/cli/run-cli.ts';
import { seedEndpoint } from '../support/engine/failed-deliveries.ts';
import { newSealer } from '../support/store/audit.ts';
import { newSigner } from '../support/store/close-operation.ts';
import { inTemporaryDirectory } from '../support/temporary-directory.ts';

const NDJSON = 'application/x-ndjson';
const PATH = '/api/v1/audit';

const api = useApi();
let endpointId: string;

/** Five acts at an endpoint, and one of another tenant. */
beforeAll(async () => {
  endpointId = await seedEndpoint(api);
  for (const verb of ['disable', 'enable', 'disable', 'enable'])
    await api.call('POST', `/api/v1/endpoints/${endpointId}/${verb}`);
  const { key } = await api.newTenant('other');
  await seedEndpoint(api, key);
  await newSealer(api.database.pool).sealer.seal();
});

const list = async (query = '', key = api.key) => api.call('GET', `${PATH}${query}`, { key });
const numbers = (items: SealedEntry[]) => items.map(({ number }) => number);

async function exported(query = '', headers: Record<string, string> = {}, key = api.key): Promise<string[]> {
  const answer = await api.call('GET', `${PATH}${query}`, { key, headers: { accept: NDJSON, ...headers } });
  expect(answer.headers.get('content-type')).toBe(NDJSON);
  return answer.text.split('\n').filter((line) => line !== '');
}

test('shows who did what to what, in which request', async () => {
  const made = await api.call('POST', '/api/v1/retries', {
    body: { select: { deliveryIds: [] }, reason: 'the receiver was down', ticket: 'INC-4711' },
  });
  await newSealer(api.database.pool).sealer.seal();
  const { body } = await list('?order=newest&limit=1');
  const keyId = expect.stringMatching(/^key_/);
  expect(body.items).toEqual([
    {
      number: 6,
      id: expect.stringMatching(/^aud_/),
      tenant: expect.stringMatching(/^ten_/),
      at: expect.stringMatching(/Z$/),
      actor: keyId,
      keyId,
      action: 'operation.accepted',
      target: made.body.id,
      detail: {
        kind: 'retry',
        surface: 'native',
        target: 'current',
        select: 'deliveryIds',
        options: {},
        expected: 0,
        requestId: made.headers.get('request-id'),
      },
      wordsDigest: expect.stringMatching(/^[0-9a-f]{64}$/),
      words: { reason: 'the receiver was down', ticket: 'INC-4711' },
      salt: expect.stringMatching(/^[0-9a-f]{32}$/),
      prev: expect.stringMatching(/^[0-9a-f]{64}$/),
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    },
  ]);
});

describe('the list', () => {
  test('goes through the chain by pages, from the oldest or the newest on', async () => {
    for (const order of ['oldest', 'newest']) {
      const seen: number[] = [];
      let next = `?limit=2&order=${order}`;
      for (;;) {
        const { body } = await list(next);
        seen.push(...numbers(body.items));
        if (body.nextCursor === null) break;
        next = `?limit=2&order=${order}&cursor=${body.nextCursor}`;
      }
      const chain = [1, 2, 3, 4, 5, 6];
      expect(seen).toEqual(order === 'oldest' ? chain : chain.reverse());
    }
  });

  test('has what its filter asks for', async () => {
    const first = (await list('?limit=1')).body.items[0];
    expect(first).toMatchObject({ action: 'endpoint.made', target: endpointId });
    const having = async (query: string) => numbers((await list(query)).body.items);
    expect(await having('?action=endpoint.enabled')).toEqual([3, 5]);
    expect(await having('?action=endpoint.enabled&action=endpoint.made')).toEqual([1, 3, 5]);
    expect(await having(`?target=${endpointId}`)).toEqual([1, 2, 3, 4, 5]);
    expect(await having(`?target=${api.uuid(endpointId)}`)).toEqual([1, 2, 3, 4, 5]);
    expect(await having(`?target=${endpointId}&action=operation.accepted`)).toEqual([]);
    expect(await having(`?actor=${first.actor}&limit=1`)).toEqual([1]);
    expect(await having('?actor=nobody')).toEqual([]);
    expect(await having(`?from=${first.at}&limit=1`)).toEqual([1]);
    expect(await having(`?to=${first.at}`)).toEqual([]);
    expect(await having(`?from=0001-01-01T00:00:00Z&to=9999-12-31T00:00:00Z`)).toHaveLength(6);
    const { rows } = await api.database.pool.query('select id from operations where tenant_id = $1', [
      api.tenant.id,
    ]);
    const operation = (await list('?order=newest&limit=1')).body.items[0].target;
    expect(await having(`?target=${operation.replace(/^op/, 'pln')}`)).toEqual([6]);
    expect(await having(`?target=${rows[0].id}`)).toEqual([6]);
  });

  test.each([
    ['?action=anything', 'action'],
    ['?target=nothing', 'target'],
    ['?order=random', 'order'],
    ['?from=yesterday', 'from'],
    ['?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', 'to'],
    ['?cursor=x', 'cursor'],
    ['?tenant=other', 'tenant'],
  ])('refuses %s', async (query, parameter) => {
    const answer = await list(query);
    expect(answer.status).toBe(400);
    expect(answer.body.errors[0].parameter).toMatch(new RegExp(`^${parameter}`));
  });

  test('has no cursor of another filter', async () => {
    const { body } = await list('?limit=1');
    expect((await list(`?limit=1&order=newest&cursor=${body.nextCursor}`)).body.code).toBe('invalid_cursor');
  });
});

describe('the export', () => {
  test('is the whole chain, which verifies offline with the checkpoints', async () => {
    await newSealer(api.database.pool, undefined, newSigner(api.sealer)).sealer.checkpoint();
    const checkpoints = await api.call('GET', `${PATH}/checkpoints`);
    const [kept] = checkpoints.body.items;
    expect(checkpoints.body).toMatchObject({ head: { number: 6, hash: kept.hash }, nextCursor: null });
    expect(kept.number).toBe(6);
    const lines = await exported();
    expect(verifyChain(lines, [kept])).toMatchObject({
      ok: true,
      entries: 6,
      number: 6,
      hash: kept.hash,
    });
    expect(verifyChain(lines.toSpliced(2, 1), [kept])).toEqual({
      ok: false,
      fault: 'missing',
      number: 3,
    });
  });

  test('is verified by the command line, which asks the service nothing', async () => {
    const lines = await exported();
    const checkpoints = (await api.call('GET', `${PATH}/checkpoints`)).text;
    await inTemporaryDirectory(async (directory) => {
      const [file, kept] = [join(directory, 'audit.ndjson'), join(directory, 'checkpoints.json')];
      await writeFile(file, `${lines.join('\n')}\n`);
      await writeFile(kept, checkpoints);
      const verify = async (...more: string[]) => {
        const { code, stdout } = await runCli(['audit', 'verify', file, kept, '-o', 'json', ...more]);
        return { code, said: JSON.parse(stdout) };
      };
      expect(await verify()).toMatchObject({
        code: 0,
        said: { verified: true, entries: 6, checkpoints: 2, signed: 0 },
      });
      const keys = join(directory, 'jwks.json');
      const published = await api.call('GET', '/.well-known/redrive/jwks.json', { key: undefined });
      await writeFile(keys, published.text);
      expect(await verify('--jwks', keys)).toMatchObject({ code: 0, said: { signed: 2 } });
      await writeFile(keys, '{"keys":[]}');
      expect(await verify('--jwks', keys)).toEqual({
        code: 11,
        said: { verified: false, fault: 'checkpoint', file: kept, index: 0, why: 'unknown_key' },
      });
      await writeFile(file, lines.slice(0, 4).join('\n'));
      // Cut off: the head that was kept says up to where it went.
      const said = { verified: false, fault: 'missing', number: 5, until: 6 };
      expect(await verify()).toEqual({ code: 11, said });
    });
  });

  test('takes a filter and a cursor, and has a line for each entry', async () => {
    const some = await exported('?action=endpoint.enabled');
    expect(numbers(some.map((line) => JSON.parse(line)))).toEqual([3, 5]);
    const { body } = await list('?limit=4');
    const rest = await exported(`?limit=1&cursor=${body.nextCursor}`);
    expect(numbers(rest.map((line) => JSON.parse(line)))).toEqual([5, 6]);
  });

  test('goes on from page to page', async () => {
    const { tenant, key } = await api.newTenant();
    await api.database.pool.query(
      `insert into audit_entries (tenant_id, actor, action, target_kind, target_id)
       select $1, 'test', 'tenant.changed', 'tenant', $1 from generate_series(1, 1201)`,
      [tenant.id],
    );
    await newSealer(api.database.pool).sealer.seal();
    const lines = await exported('', {}, key);
    expect(verifyChain(lines)).toMatchObject({ ok: true, entries: 1_201 });
  });
});

test('checkpoints are paged, newest first', async () => {
  const { key } = await api.newTenant();
  for (let n = 0; n < 3; n += 1) {
    await seedEndpoint(api, key);
    const { sealer } = newSealer(api.database.pool, 0, newSigner(api.sealer));
    await sealer.seal();
    await sealer.checkpoint();
  }
  const seen: number[] = [];
  let cursor = '';
  for (;;) {
    const { body } = await api.call('GET', `${PATH}/checkpoints?limit=2${cursor}`, { key });
    seen.push(...numbers(body.items));
    if (body.nextCursor === null) break;
    cursor = `&cursor=${body.nextCursor}`;
  }
  expect(seen).toEqual([3, 2, 1]);
});

describe('nobody reads it', () => {
  test('of another tenant: not by its key, its name, its ids or a cursor', async () => {
    const { key } = await api.newTenant();
    expect((await list('', key)).body.items).toEqual([]);
    expect((await list(`?target=${endpointId}`, key)).body.items).toEqual([]);
    expect(await exported('', {}, key)).toEqual([]);
    const own = (await list('?limit=1')).body;
    expect((await list(`?limit=1&cursor=${own.nextCursor}`, key)).body.code).toBe('invalid_cursor');
    expect((await api.call('GET', `${PATH}/checkpoints`, { key })).body).toEqual({
      items: [],
      nextCursor: null,
      head: null,
    });
    const named = await api.call('GET', PATH, { key, headers: { 'redrive-tenant': 'acme' } });
    expect([403, 404]).toContain(named.status);
  });

  test('without its scope, which no grant has and no key gives on that does not have it', async () => {
    const without = SCOPES.filter((scope) => scope !== 'read:audit' && scope !== 'admin');
    const key = await api.newKey(api.tenant.id, without);
    for (const path of [PATH, `${PATH}/checkpoints`]) {
      const refused = await api.call('GET', path, { key });
      expect(refused).toMatchObject({ status: 403, body: { code: 'insufficient_scope' } });
      for (const grant of GRANTS) {
        const made = await api.call('POST', '/api/v1/keys', {
          key: api.adminKey,
          body: { tenantId: 'acme', name: grant, grant },
        });
        expect((await api.call('GET', path, { key: made.body.key })).status).toBe(403);
      }
    }
    const raised = await api.call('POST', '/api/v1/keys', {
      key,
      body: { name: 'more', scopes: ['read:audit'] },
    });
    expect(raised.status).toBe(403);
  });

  test('but the installation, of any tenant and of itself', async () => {
    const headers = (tenant: string) => ({ 'redrive-tenant': tenant });
    const of = (tenant: string) => api.call('GET', PATH, { key: api.adminKey, headers: headers(tenant) });
    expect((await of('acme')).body.items.length).toBeGreaterThan(0);
    expect((await of('redrive.platform')).status).toBe(200);
    expect((await api.call('GET', PATH, { key: api.adminKey })).body.code).toBe('tenant_required');
  });
});
