import { readdir, readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { ApiDeps } from '../../src/api/api-deps.ts';
import { apiRoutes } from '../../src/api/server.ts';
import type { IdKind } from '../../src/domain/tenancy/typed-id.ts';
import { SURFACES } from '../../src/surfaces/surfaces.ts';
import {
  AUDITED,
  type AuditedWorld,
  CANARY,
  createAuditedWorld,
  NOT_AUDITED,
} from '../support/api/audited-calls.ts';
import { useApi } from '../support/api/use-api.ts';

/** Every route of every surface that writes leaves its entry in the audit, or is named here with its reason. */

const api = useApi();
let world: AuditedWorld;

beforeAll(async () => {
  world = await createAuditedWorld(api);
});

const READS = ['get', 'head', 'options', 'trace'];

/** Where the target of an act is kept. */
const TABLES: Partial<Record<IdKind, string>> = {
  tenant: 'tenants',
  key: 'api_keys',
  jwtIssuer: 'jwt_issuers',
  session: 'console_sessions',
  signer: 'signers',
  accessRule: 'access_rules',
  endpoint: 'endpoints',
  event: 'events',
  operation: 'operations',
  delivery: 'deliveries',
  resolution: 'resolutions',
  receiptReplay: 'receipt_replays',
  diagnostics: 'receipt_diagnostics',
  signingKey: 'signing_keys',
  outage: 'outages',
  import: 'imports',
};

/** The transaction that wrote a row last; undefined where there is no such row. */
async function writerOf(kind: IdKind, id: string): Promise<string | undefined> {
  const { rows } = await api.database.pool.query(`select xmin::text from ${TABLES[kind]} where id = $1`, [
    id,
  ]);
  return rows[0]?.xmin;
}

async function entriesOf(requestId: string) {
  const { rows } = await api.database.pool.query(
    `select e.*, e.xmin::text, t.platform from audit_entries e join tenants t on t.id = e.tenant_id
     where detail->>'requestId' = $1 order by e.id`,
    [requestId],
  );
  return rows;
}

test('each route that may write is named, and no other', () => {
  const writing = apiRoutes({ version: 'test' } as ApiDeps, SURFACES)
    .filter(({ method }) => !READS.includes(method))
    .map(({ method, path }) => `${method} ${path}`);
  expect(Object.keys({ ...AUDITED, ...NOT_AUDITED }).sort()).toEqual(writing.sort());
});

test('each call of the committed documents that may write is named', async () => {
  const files = (await readdir('openapi')).filter((file) => file.endsWith('.json'));
  expect(files.length).toBe(SURFACES.length);
  for (const file of files) {
    const { paths } = JSON.parse(await readFile(`openapi/${file}`, 'utf8'));
    for (const [path, methods] of Object.entries<object>(paths))
      for (const method of Object.keys(methods).filter((each) =>
        ['post', 'put', 'patch', 'delete'].includes(each),
      ))
        expect({ ...AUDITED, ...NOT_AUDITED }).toHaveProperty([`${method} ${path}`]);
  }
});

describe('a call that does something leaves its entries', () => {
  test.each(Object.entries(AUDITED))('%s', async (name, { acts, call }) => {
    const answer = await call(world);
    expect([200, 201, 202, 204]).toContain(answer.status);
    const found = await entriesOf(answer.headers.get('request-id') ?? '');
    const own =
      name.includes('/v1/retries/events') && !name.includes('{institutionId}')
        ? found.filter(({ platform }) => platform)
        : found;
    expect(own.map(({ action }) => action)).toEqual(acts);
    // In the transaction of the act; of the row that it removed there is none, and an event that is repeated stays.
    const last = own.at(-1);
    const target = last.action === 'event.repeated' ? api.uuid(last.detail.eventId) : last.target_id;
    expect(await writerOf(last.target_kind, target)).toBe(
      last.action.endsWith('.removed') ? undefined : last.xmin,
    );
    for (const entry of found) {
      expect(entry.actor).toMatch(/^(key_|actor:bob$|signer:mint$)/);
      expect(entry.key_id === null).toBe(entry.actor.startsWith('signer:'));
    }
  });
});

test('an operation over several institutions is in the audit of each', async () => {
  const answer = await AUDITED['post /a/api/enterprise-event/v1/retries/events']?.call(world);
  const found = await entriesOf(answer?.headers.get('request-id') ?? '');
  const { rows: tenants } = await api.database.pool.query('select id from tenants');
  expect(found.map(({ tenant_id: id }) => id).sort()).toEqual(tenants.map(({ id }) => id).sort());
});

test('a refused call and a repeat leave none', async () => {
  const body = { select: { deliveryIds: [] } };
  const headers = { 'idempotency-key': 'the-same' };
  const first = await api.call('POST', '/api/v1/retries', { body, headers });
  const again = await api.call('POST', '/api/v1/retries', { body, headers });
  const refused = await api.call('DELETE', `/api/v1/keys/${world.endpointId.replace(/^end/, 'key')}`);
  expect([first.status, again.status, refused.status]).toEqual([202, 202, 404]);
  const counts = await Promise.all(
    [first, again, refused].map(
      async (each) => (await entriesOf(each.headers.get('request-id') ?? '')).length,
    ),
  );
  expect(counts).toEqual([1, 0, 0]);
});

test('no entry holds a URL, a secret, a header, a payload or a word, but for the words that can be erased', async () => {
  const { rows } = await api.database.pool.query(
    `select coalesce(string_agg((to_jsonb(e) - 'words')::text, ' '), '') as entries,
       count(*) filter (where e.words::text like $1)::int as with_words from audit_entries e`,
    [`%${CANARY}%`],
  );
  const [{ entries, with_words: withWords }] = rows;
  expect(withWords).toBeGreaterThan(2);
  for (const planted of [
    CANARY,
    Buffer.from(CANARY).toString('base64').slice(0, 12),
    'whsec_',
    'rdk_',
    'https:',
  ])
    expect(entries).not.toContain(planted);
});
