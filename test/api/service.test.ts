import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { PROBLEMS } from '../../src/api/problems/problem-table.ts';
import { problemOfException } from '../../src/api/problems/unexpected-failure.ts';
import { apiRoutes } from '../../src/api/server.ts';
import { createPool } from '../../src/store/db/pool.ts';
import { SURFACES } from '../../src/surfaces/surfaces.ts';
import { makeApiDocument } from '../support/api/api-document.ts';
import { startTestApi } from '../support/api/test-api.ts';
import { useApi } from '../support/api/use-api.ts';
import { seedEndpoint, seedFailedDeliveries } from '../support/engine/failed-deliveries.ts';
import { letIn } from '../support/store/test-database.ts';

const root = new URL('../../', import.meta.url);
const api = useApi();

describe('the service', () => {
  test('says that it is alive, and which of its parts are ready', async () => {
    expect((await api.call('GET', '/healthz', { key: undefined })).body).toEqual({
      status: 'alive',
      version: '0.0.0-test',
    });
    expect((await api.call('GET', '/readyz', { key: undefined })).body.ready).toBe(true);
    const other = await startTestApi({
      readiness: async () => [
        { name: 'postgres', ready: true, state: 'connected' },
        { name: 'temporal', ready: false, state: 'unreachable' },
      ],
    });
    try {
      const answer = await other.call('GET', '/readyz');
      expect(answer).toMatchObject({
        status: 503,
        body: { ready: false, parts: [{ ready: true }, { name: 'temporal', ready: false }] },
      });
    } finally {
      await other.close();
    }
  });

  test('keeps an idle connection for longer than its clients do', async () => {
    expect((await api.call('GET', '/healthz')).headers.get('keep-alive')).toBe('timeout=75');
  });

  test('counts its requests by route, never by id', async () => {
    await api.call('GET', '/api/v1/deliveries/dlv_01k9z3e5hbe7r9qk2m4n6p8r0s');
    const metrics = await api.call('GET', '/metrics', { key: undefined });
    expect(metrics.text).toContain(
      'redrive_http_request_duration_seconds_count{method="GET",route="/api/v1/deliveries/{id}",status="404"} 1',
    );
    expect(metrics.text).not.toContain('dlv_');
  });

  test('describes itself, and shows that description without help from elsewhere', async () => {
    const { body } = await api.call('GET', '/openapi.json', { key: undefined });
    expect(body.openapi).toBe('3.1.0');
    const page = await fetch(`${api.url}/docs/`);
    const html = await page.text();
    expect(html).toContain('swagger-ui');
    expect(html).not.toMatch(/(?:src|href)=["']?(?:https?:)?\/\//);
    for (const file of [
      'swagger-ui.css',
      'swagger-ui-bundle.js',
      'swagger-ui-standalone-preset.js',
      'swagger-ui-init.js',
    ]) {
      const answer = await fetch(`${api.url}/docs/${file}`);
      expect(answer.status).toBe(200);
      // A long answer that nobody reads keeps its connection open, and with it the process of the tests.
      expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(0);
    }
  });

  test('answers with headers that protect browsers', async () => {
    const { headers } = await api.call('GET', '/healthz');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('x-powered-by')).toBeNull();
  });

  test('answers HEAD like GET, without a body, streams too', async () => {
    await seedEndpoint(api);
    const [seeded] = await seedFailedDeliveries(api, 1);
    const { body } = await api.call('POST', '/api/v1/retries', {
      body: { select: { deliveryIds: [seeded?.deliveryId] } },
    });
    for (const path of ['/healthz', '/metrics', '/api/v1/endpoints', `/api/v1/retries/${body.id}/stream`]) {
      const answer = await fetch(`${api.url}${path}`, {
        method: 'HEAD',
        headers: { authorization: `Bearer ${api.key}` },
      });
      expect(answer.status).toBe(200);
      expect(await answer.text()).toBe('');
    }
  });
});

describe('the table of errors', () => {
  test('is what docs/errors.md says', async () => {
    const text = await readFile(new URL('docs/errors.md', root), 'utf8');
    const documented = [...text.matchAll(/^\| `(\w+)` \| (\d+) \| (.+?) \| (.+) \|$/gm)].map(
      ([, code, status, title, advice]) => [code, { status: Number(status), title, advice }],
    );
    expect(Object.fromEntries(documented)).toEqual(PROBLEMS);
    expect(documented.length).toBe(Object.keys(PROBLEMS).length);
  });

  test('has every code that documentation of routes names, and no other', async () => {
    const text = JSON.stringify(makeApiDocument());
    const unused = Object.keys(PROBLEMS).filter((code) => !text.includes(`\`${code}\``));
    // These two belong to no route: nothing was found that could document them.
    expect(new Set(unused)).toEqual(new Set(['method_not_allowed', 'route_not_found']));
  });
});

describe('the OpenAPI document', () => {
  test('has nothing but valid schemas', () => {
    const { components, paths } = makeApiDocument() as Record<'components' | 'paths', object>;
    const ajv = new Ajv2020({ strict: false });
    const faults: unknown[] = [];
    const walk = (node: unknown, at: string): void => {
      if (typeof node !== 'object' || node === null) return;
      for (const [name, inner] of Object.entries(node)) {
        if (name === 'schema' && !ajv.validateSchema(inner)) faults.push(`${at}: ${ajv.errorsText()}`);
        walk(inner, `${at}/${name}`);
      }
    };
    for (const [name, schema] of Object.entries((components as { schemas: object }).schemas))
      walk({ schema }, name);
    walk(paths, 'paths');
    expect(faults).toEqual([]);
  });

  test('describes every property, with an example', () => {
    const document = makeApiDocument() as {
      components: { schemas: Record<string, object> };
    };
    const bare: string[] = [];
    const walk = (schema: unknown, path: string): void => {
      if (typeof schema !== 'object' || schema === null) return;
      for (const [name, property] of Object.entries(
        (schema as { properties?: Record<string, Record<string, unknown>> }).properties ?? {},
      )) {
        const nested = property.properties ?? property.items ?? property.anyOf ?? property.oneOf;
        const described =
          '$ref' in property ||
          ('description' in property && (nested !== undefined || 'example' in property));
        if (!described) bare.push(`${path}/${name}`);
      }
      for (const [name, inner] of Object.entries(schema)) walk(inner, `${path}/${name}`);
    };
    walk(document.components.schemas, '');
    expect(bare).toEqual([]);
  });
});

describe('an unexpected failure', () => {
  test('is an internal error that tells nothing, in the answer and in the log', async () => {
    const other = await startTestApi();
    try {
      await other.database.pool.query('alter table endpoints rename column handle to secret_column');
      const answer = await other.call('GET', '/api/v1/endpoints');
      expect(answer).toMatchObject({ status: 500, body: { code: 'internal' } });
      expect(answer.text).not.toContain('handle');
      const line = JSON.parse(other.log.at(-1) ?? '');
      expect(line).toMatchObject({
        msg: 'api.failed',
        code: '42703',
        requestId: answer.body.instance,
        route: '/api/v1/endpoints',
      });
      expect(other.log.join('')).not.toContain('does not exist');
    } finally {
      await other.close();
    }
  });

  test('because Postgres is away makes every call say when to come back, and the process stays alive', async () => {
    const nobody = createPool('postgres://nobody@127.0.0.1:1/nowhere');
    const other = await startTestApi({ pool: nobody });
    try {
      for (const route of apiRoutes(other.deps, SURFACES).filter(
        ({ access, surface }) => surface.name === 'native' && access.of !== 'anyone',
      )) {
        const answer = await other.call(route.method.toUpperCase(), route.path.replace('{id}', 'x'), {
          ...(route.method === 'post' || route.method === 'put' || route.method === 'patch'
            ? { body: {} }
            : {}),
        });
        expect(answer).toMatchObject({ status: 503, body: { code: 'temporarily_unavailable' } });
        expect(answer.headers.get('retry-after')).toBe('2');
      }
      expect((await other.call('GET', '/healthz')).status).toBe(200);
    } finally {
      await nobody.end();
      await other.close();
    }
  });

  test.each(['28P01', '3D000', '58030', '55006', '25P03', '25P04', '57P04', '57014', '25006', '40001'])(
    'with the code %s is an outage to the API, as it is to workers',
    (code) => {
      expect(problemOfException(Object.assign(new Error('x'), { code }))).toMatchObject({
        problem: 'temporarily_unavailable',
        headers: { 'retry-after': '2' },
      });
    },
  );

  test('because the database takes no connections is answered as unavailable', async () => {
    const other = await startTestApi();
    const { url } = other.database;
    try {
      await letIn(url, false);
      const fresh = createPool(url, { max: 1 });
      const refused = await fresh.query('select').catch((error: unknown) => error);
      await fresh.end();
      expect(problemOfException(refused)).toMatchObject({ problem: 'temporarily_unavailable' });
    } finally {
      await letIn(url, true);
      await other.close();
    }
  });

  test('of a connection that Postgres closes in the middle is answered as unavailable, and the next call goes on', async () => {
    const accept = () => api.call('POST', '/api/v1/events', { body: { type: 'a', payload: 1 } });
    const blocker = await api.database.pool.connect();
    try {
      await blocker.query('begin');
      await blocker.query(
        'update tenant_counters set last_event_number = last_event_number where tenant_id = $1',
        [api.tenant.id],
      );
      const waiting = accept();
      for (let ended = 0; ended === 0; ) {
        const { rowCount } = await api.database.pool.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where wait_event_type = 'Lock' and pid <> pg_backend_pid() and datname = current_database()`,
        );
        ended = rowCount ?? 0;
      }
      expect(await waiting).toMatchObject({ status: 503, body: { code: 'temporarily_unavailable' } });
    } finally {
      await blocker.query('rollback');
      blocker.release();
    }
    expect((await accept()).status).toBe(202);
  });
});

describe('the rate limit', () => {
  test('is shown on every answer, and requests beyond it are refused', async () => {
    const other = await startTestApi({ rateLimit: { requests: 3, windowSeconds: 60 } });
    try {
      const get = () => other.call('GET', '/api/v1/endpoints');
      const first = await get();
      expect(first.headers.get('ratelimit-policy')).toBe('"default";q=3;w=60');
      expect(first.headers.get('ratelimit')).toBe('"default";r=2;t=20');
      await get();
      await get();
      const refused = await get();
      expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
      // One of three in a minute flows in every 20 s.
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(10);
      const { key } = await other.newTenant();
      expect((await other.call('GET', '/api/v1/endpoints', { key })).status).toBe(200);
    } finally {
      await other.close();
    }
  });
});
