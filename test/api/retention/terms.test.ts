import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Days, daysInForce, KEPT } from '../../../src/domain/tenancy/retention.ts';
import { SETTING_OF } from '../../../src/store/tenancy/tenants.ts';
import { useApi } from '../../support/api/use-api.ts';

const api = useApi();
const FLOORS = '/api/v1/platform/retention';
const NONE = { payloads: null, events: null, receipts: null, ledgers: null, reports: null };

afterEach(async () => {
  await api.call('PUT', FLOORS, { key: api.adminKey, body: {} });
});

const made = async (settings?: object) => {
  const handle = `t${Math.random().toString(36).slice(2)}`;
  return api.call('POST', '/api/v1/tenants', {
    key: api.adminKey,
    body: { handle, ...(settings ? { settings } : {}) },
  });
};
const change = (id: string, settings: object, key = api.adminKey) =>
  api.call('PATCH', `/api/v1/tenants/${id}`, { key, body: { settings } });

describe('the terms of a tenant', () => {
  test('a new one keeps everything for ninety days, or as long as it wants payloads, and reports for ever', async () => {
    expect((await made()).body.retention).toEqual({ ...NONE, payloads: 90, events: 90, receipts: 90 });
    expect((await made({ payloadRetentionDays: 180 })).body.retention).toMatchObject({
      payloads: 180,
      events: 180,
    });
    expect((await made({ eventRetentionDays: null })).body.retention).toEqual(NONE);
  });

  test('what would take something with it before its term is refused, and nothing is changed', async () => {
    const { id } = (
      await made({ payloadRetentionDays: 30, receiptRetentionDays: 60, ledgerRetentionDays: 365 })
    ).body;
    expect(await change(id, { eventRetentionDays: 20, reportRetentionDays: 30 })).toMatchObject({
      status: 400,
      body: {
        code: 'term_too_short',
        errors: [
          { pointer: '#/settings/eventRetentionDays', code: 'below_term' },
          { pointer: '#/settings/eventRetentionDays', code: 'below_term' },
          { pointer: '#/settings/reportRetentionDays', code: 'below_term' },
        ],
      },
    });
    expect((await change(id, { payloadRetentionDays: 91 })).body.code).toBe('term_too_short');
    expect(
      (await change(id, { payloadRetentionDays: 20, receiptRetentionDays: 20, eventRetentionDays: 20 }))
        .status,
    ).toBe(200);
    expect(
      (await api.call('PATCH', `/api/v1/tenants/${id}`, { key: api.adminKey, body: { name: 'Renamed' } }))
        .status,
    ).toBe(200);
  });

  test('reports have a term only where their lines have one, which are kept for ever without', async () => {
    const { id } = (await made()).body;
    const refused = {
      status: 400,
      body: {
        code: 'term_too_short',
        errors: [
          {
            pointer: '#/settings/reportRetentionDays',
            code: 'below_term',
            message: expect.stringContaining('ledgerRetentionDays'),
          },
        ],
      },
    };
    expect(await change(id, { reportRetentionDays: 3_650 })).toMatchObject(refused);
    expect(await made({ reportRetentionDays: 3_650 })).toMatchObject(refused);
    expect(
      (await change(id, { reportRetentionDays: 3_650, ledgerRetentionDays: 730 })).body.retention,
    ).toMatchObject({ ledgers: 730, reports: 3_650 });
    expect(await change(id, { ledgerRetentionDays: null })).toMatchObject(refused);
    expect(
      (await change(id, { ledgerRetentionDays: null, reportRetentionDays: null })).body.retention,
    ).toMatchObject({ ledgers: null, reports: null });
  });

  test('are set by the installation alone: no tenant shortens its own or another’s', async () => {
    const other = await api.newTenant();
    for (const key of [api.key, other.key]) {
      expect((await change('acme', { eventRetentionDays: 1 }, key)).status).toBe(403);
      expect((await api.call('PUT', FLOORS, { key, body: {} })).status).toBe(403);
      expect((await api.call('GET', FLOORS, { key })).status).toBe(403);
    }
  });
});

describe('the floors of the installation', () => {
  test('are set as a whole, refuse what is below them, and hold for what was set before', async () => {
    const { id } = (await made({ eventRetentionDays: 10, payloadRetentionDays: 5 })).body;
    const floors = { ...NONE, events: 30, payloads: 7, digest: expect.any(String) };
    expect(
      (await api.call('PUT', FLOORS, { key: api.adminKey, body: { events: 30, payloads: 7 } })).body,
    ).toEqual(floors);
    expect((await api.call('GET', FLOORS, { key: api.adminKey })).body).toEqual(floors);
    expect((await api.call('GET', `/api/v1/tenants/${id}`, { key: api.adminKey })).body).toMatchObject({
      settings: { eventRetentionDays: 10, payloadRetentionDays: 5 },
      retention: { events: 30, payloads: 7, receipts: 30 },
    });
    expect((await change(id, { eventRetentionDays: 29 })).body).toMatchObject({
      code: 'term_too_short',
      errors: [{ pointer: '#/settings/eventRetentionDays', code: 'below_floor' }],
    });
    expect((await made({ payloadRetentionDays: 6 })).body.code).toBe('term_too_short');
  });

  test('do not touch the ceilings, nor these them', async () => {
    await api.call('PUT', '/api/v1/platform/limits', { key: api.adminKey, body: { openOperations: 7 } });
    await api.call('PUT', FLOORS, { key: api.adminKey, body: { reports: 365 } });
    await api.call('PUT', '/api/v1/platform/limits', { key: api.adminKey, body: {} });
    expect((await api.call('GET', FLOORS, { key: api.adminKey })).body).toMatchObject({
      ...NONE,
      reports: 365,
    });
  });
});

test('Postgres says of any terms and floors what the service says', async () => {
  const anyDays: fc.Arbitrary<Days> = fc.record(
    Object.fromEntries(KEPT.map((what) => [what, fc.integer({ min: 1, max: 400 })])),
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(anyDays, anyDays, async (set, floors) => {
      const settings = Object.fromEntries(
        Object.entries(set).map(([what, days]) => [SETTING_OF[what as keyof Days], days]),
      );
      await api.database.pool.query('delete from platform_limits');
      await api.database.pool.query(
        `insert into platform_limits (${KEPT.map((what) => `least_${what}_days`).join(', ')}) values ($1, $2, $3, $4, $5)`,
        KEPT.map((what) => floors[what] ?? null),
      );
      const { rows } = await api.database.pool.query(
        `select ${KEPT.map((what) => `retention_days($1, '${what}') as ${what}`).join(', ')}`,
        [settings],
      );
      const held = daysInForce(set, floors);
      expect(rows[0]).toEqual(Object.fromEntries(KEPT.map((what) => [what, held[what] ?? null])));
    }),
    { numRuns: 60 },
  );
});
