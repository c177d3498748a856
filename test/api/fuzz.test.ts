import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { apiRoutes } from '../../src/api/server.ts';
import { SURFACES } from '../../src/surfaces/surfaces.ts';
import { bodyFor, credentialsFor, pathFor } from '../support/api/api-world.ts';
import { useApiWorld } from '../support/api/use-api.ts';

const world = useApiWorld();
const routes = apiRoutes({ version: 'test' } as Parameters<typeof apiRoutes>[0], SURFACES).filter(
  ({ access, path, surface }) =>
    surface.name === 'native' && access.of !== 'anyone' && !path.endsWith('/stream'),
);

const ids = fc.constantFrom(
  'ours',
  'theirs',
  'dlv_01k9z3e5hbe7r9qk2m4n6p8r0s',
  '0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9f',
  '',
  '\0',
);
const scalar = fc.oneof(
  ids,
  fc.constantFrom('2026-01-01T00:00:00Z', 'invoice.paid', 1, -1, 1e308, 0.5, true, null),
  fc.string(),
);
const strange = fc.oneof(
  { weight: 2, arbitrary: scalar },
  fc.jsonValue({ maxDepth: 3 }),
  fc.array(scalar, { maxLength: 3 }),
);
const names = [
  'handle',
  'name',
  'plan',
  'tenantId',
  'scopes',
  'expiresAt',
  'url',
  'eventTypes',
  'filter',
  'secret',
  'headers',
  'retry',
  'timeoutMs',
  'id',
  'type',
  'payload',
  'occurredAt',
  'key',
  'outcome',
  'confirm',
  'select',
  'mode',
  'target',
  'options',
  'reason',
  'perSecond',
];

/** Values in the place of some members of a body that is otherwise right. */
const change = fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), strange, { maxKeys: 3 });
const query = fc.array(
  fc.tuple(
    fc.constantFrom(
      'limit',
      'cursor',
      'state',
      'endpointIds',
      'from',
      'to',
      'key',
      'httpStatus',
      'pendingLongerThanMs',
      'include',
      'x',
    ),
    fc.oneof(fc.string(), fc.constantFrom('1', 'failed', '2026-01-01T00:00:00Z', 'payload')),
  ),
  { maxLength: 3 },
);

test('any request gets a documented answer, and no 5xx', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...routes),
      fc.oneof(change, fc.jsonValue()),
      query,
      fc.oneof(
        fc.constant(undefined),
        fc.string().filter((text) => /^[\t\x20-\x7e]*$/.test(text)),
      ),
      async (route, changed, parameters, idempotencyKey) => {
        const { api, ours } = world;
        const right = bodyFor(route, ours);
        const { key, headers } = credentialsFor(route, api, ours);
        const takesBody = route.method !== 'get' && route.method !== 'delete';
        const isMap = typeof changed === 'object' && changed !== null && !Array.isArray(changed);
        const body = isMap ? { ...right, ...changed } : changed;
        const search = new URLSearchParams(route.method === 'get' ? parameters : []).toString();
        const answer = await api.call(
          route.method.toUpperCase(),
          `${pathFor(route, ours)}${search && `?${search}`}`,
          {
            key,
            headers: { ...headers, ...(takesBody ? headersFor(idempotencyKey) : {}) },
            ...(takesBody ? { body: JSON.stringify(body) } : {}),
          },
        );
        expect(answer.status).toBeLessThan(500);
      },
    ),
    { numRuns: 1_500 },
  );
});

function headersFor(idempotencyKey: string | undefined): Record<string, string> {
  return {
    'content-type': 'application/json',
    ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
  };
}
