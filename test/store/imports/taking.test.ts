import { describe, expect, test } from '@jest/globals';
import { IMPORT_FORMATS } from '../../../src/domain/imports/import-record.ts';
import { type Id, showId } from '../../../src/domain/tenancy/typed-id.ts';
import { closeImport, expireImports, openImport } from '../../../src/ingest/imports/open-import.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { removeOldLines } from '../../../src/store/imports/import-lines.ts';
import { awkwardFile, goodLine } from '../../support/imports/awkward-lines.ts';
import { lines, openTestImport } from '../../support/imports/take.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore({ checked: true });
const BY = { actor: 'test' };

async function scene() {
  const tenant = await store.newTenant();
  return { tenant, endpointId: await store.newEndpoint(tenant) };
}

const deliveriesOf = (endpointId: Id<'endpoint'>) =>
  store.rows(
    `select d.*, e.state as execution_state, e.reason, e.attempts as execution_attempts, e.may_have_arrived, v.external_id,
       v.type, v.source, v.ingestion_batch_id, v.number, b.body, b.import_members
     from deliveries d join executions e on e.delivery_id = d.id join events v on v.id = d.event_id
     left join payloads b on b.event_id = v.id where d.endpoint_id = $1 order by v.number, d.id`,
    [endpointId],
  );

describe('an awkward file', () => {
  test.each(IMPORT_FORMATS.map((format) => [format]))(
    'of %s is reported line by line, however it arrives',
    async (format) => {
      const { tenant, endpointId } = await scene();
      const options = format === 'hookdeck' ? { eventType: 'a.b' } : {};
      const it = await openTestImport(store, tenant, endpointId, format, options);
      const { bytes, fates } = awkwardFile(format);
      expect(await it.send(bytes, { chunkBytes: 70_001 })).toBeUndefined();
      expect(await it.fates()).toEqual(fates);
      const { accepted, duplicates, refused, blank, lines: taken } = await it.now();
      expect(taken).toBe(fates.length);
      expect([accepted, blank]).toEqual([
        fates.filter((fate) => fate === 'accepted').length,
        fates.filter((fate) => fate === 'blank').length,
      ]);
      expect(accepted + duplicates + refused + blank).toBe(taken);
      // The same file once more changes nothing.
      await closeImport(store.pool, tenant.id, it.id, 'closed', BY);
      const again = await openTestImport(store, tenant, endpointId, format, options);
      const before = await deliveriesOf(endpointId);
      await again.send(bytes);
      expect(await again.now()).toMatchObject({
        accepted: 0,
        duplicates: accepted + duplicates,
        refused,
        blank,
      });
      expect(await deliveriesOf(endpointId)).toEqual(before);
    },
  );
});

describe('what a line makes', () => {
  test('is a delivery that has failed, with its event, payload and attempts, and nothing open', async () => {
    const { tenant, endpointId } = await scene();
    const it = await openTestImport(store, tenant, endpointId);
    await it.send(
      `{"id":"x","type":"a.b","source":"s","key":"k","occurredAt":"2026-11-03T02:00:00+01:00","endpoint":"theirs",` +
        `"payload": {"n": 1.0 },"attempts":[{"at":"2026-11-03T02:05:00Z","status":503,"response":"down"},` +
        `{"at":"2026-11-03T02:00:00Z","error":"timeout","durationMs":30000}],"shop":"north"}`,
    );
    expect(await deliveriesOf(endpointId)).toMatchObject([
      {
        state: 'failed',
        import_id: it.id,
        webhook_id: null,
        order_key: null,
        attempts: 2,
        fault_code: 'http_5xx',
        http_status: 503,
        last_attempt_at: new Date('2026-11-03T02:05:00Z'),
        original_version: null,
        execution_state: 'failed',
        reason: 'imported',
        may_have_arrived: true,
        external_id: 'x',
        source: 's',
        ingestion_batch_id: showId('import', it.id),
        body: '{"n": 1.0 }',
        import_members: '{"shop":"north"}',
      },
    ]);
    expect(
      await store.rows(
        `select a.number, a.outcome, a.fault_code, a.duration_ms, a.resend, a.imported, a.endpoint_version,
           convert_from(a.response_excerpt, 'UTF8') as excerpt
         from attempts a join executions e on e.id = a.execution_id where e.endpoint_id = $1 order by a.number`,
        [endpointId],
      ),
    ).toEqual([
      { ...ATTEMPT, number: 1, fault_code: 'timeout', duration_ms: 30_000, resend: false, excerpt: null },
      { ...ATTEMPT, number: 2, fault_code: 'http_5xx', duration_ms: 0, resend: true, excerpt: 'down' },
    ]);
    expect(
      await store.rows('select 1 from executions where endpoint_id = $1 and open', [endpointId]),
    ).toEqual([]);
  });

  test('is numbered without gaps among the events of the tenant', async () => {
    const { tenant, endpointId } = await scene();
    await store.ingest(tenant, 2);
    const it = await openTestImport(store, tenant, endpointId);
    await it.send(`${lines([goodLine('ndjson', 1), { broken: true }, goodLine('ndjson', 2)])}`);
    await store.ingest(tenant, 1);
    const rows = await store.rows('select number::int from events where tenant_id = $1 order by number', [
      tenant.id,
    ]);
    expect(rows.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5]);
  });

  test('is delivered where a later line says so, and a later failure does not change that', async () => {
    const { tenant, endpointId } = await scene();
    const it = await openTestImport(store, tenant, endpointId, 'svix');
    const failed = goodLine('svix', 1);
    const succeeded = {
      ...failed,
      id: 'atmpt_ok',
      status: 0,
      responseStatusCode: 200,
      timestamp: '2026-11-03T03:00:00Z',
    };
    await it.send(lines([failed]));
    await it.send(lines([succeeded]), { from: 2 });
    await it.send(lines([{ ...failed, id: 'atmpt_earlier', timestamp: '2026-11-03T01:00:00Z' }]), {
      from: 3,
    });
    expect(await it.fates()).toEqual(['accepted', 'accepted', 'accepted']);
    expect(await deliveriesOf(endpointId)).toMatchObject([
      { state: 'delivered', attempts: 3, execution_attempts: 3, http_status: 200, fault_code: null },
    ]);
  });

  test('is left alone once Redrive has taken it up', async () => {
    const { tenant, endpointId } = await scene();
    const it = await openTestImport(store, tenant, endpointId, 'svix');
    await it.send(lines([goodLine('svix', 1)]));
    const [{ id }] = await deliveriesOf(endpointId);
    await store.retry(tenant, { deliveryIds: [id] });
    await it.send(lines([{ ...goodLine('svix', 1), id: 'atmpt_more' }]), { from: 2 });
    expect(await it.fates()).toEqual(['accepted', 'sent_since']);
    await store.attempt(200);
  });

  test('is nothing where the event was sent to Redrive itself', async () => {
    const { tenant, endpointId } = await scene();
    await store.ingest(tenant, 1, { externalId: 'n-1', type: 'a.b' });
    const it = await openTestImport(store, tenant, endpointId);
    await it.send(lines([goodLine('ndjson', 1)]));
    expect(await it.fates()).toEqual(['event_exists']);
    await store.attempt(200);
  });

  test('has the id of the other system where it is kept, once at each endpoint', async () => {
    const { tenant, endpointId } = await scene();
    const it = await openTestImport(store, tenant, endpointId, 'ndjson', { keepIds: true });
    await it.send(
      lines([
        goodLine('ndjson', 1),
        { ...goodLine('ndjson', 1), type: 'other' },
        { ...goodLine('ndjson', 2), id: 'a.b' },
      ]),
    );
    expect(await it.fates()).toEqual(['accepted', 'id_taken', 'wrong_member id']);
    expect(await deliveriesOf(endpointId)).toMatchObject([{ webhook_id: 'n-1' }]);
  });
});

const ATTEMPT = { outcome: 'ambiguous', imported: true, endpoint_version: null };

describe('an upload that breaks off', () => {
  const file = (count: number) => lines(Array.from({ length: count }, (_, n) => goodLine('ndjson', n)));

  test('goes on behind its last batch, from the next line or from the first, and makes nothing twice', async () => {
    const { tenant, endpointId } = await scene();
    const it = await openTestImport(store, tenant, endpointId);
    const body = file(1_700);
    await expect(it.send(body, { breaksAt: Math.floor(body.length * 0.6) })).rejects.toThrow('went away');
    const { lines: taken } = await it.now();
    expect(taken).toBeGreaterThan(500);
    expect(taken).toBeLessThan(1_700);
    expect(await it.send(file(1), { from: taken + 2 })).toBe('gap');
    const rest = body.split('\n').slice(taken).join('\n');
    await expect(it.send(rest, { from: taken + 1, breaksAt: 20_000 })).rejects.toThrow('went away');
    await it.send(body);
    expect(await it.now()).toMatchObject({ lines: 1_700, accepted: 1_700 });
    expect(await deliveriesOf(endpointId)).toHaveLength(1_700);
  });

  test('loses nothing where two connections send the same file', async () => {
    const { tenant, endpointId } = await scene();
    const it = await openTestImport(store, tenant, endpointId);
    const body = file(2_600);
    await Promise.all([it.send(body), it.send(body, { chunkBytes: 9_000 })]);
    expect(await it.now()).toMatchObject({ lines: 2_600, accepted: 2_600, duplicates: 0 });
    expect(await deliveriesOf(endpointId)).toHaveLength(2_600);
  });
});

describe('an import', () => {
  test('is one at a time for a tenant, also where two are opened at one moment', async () => {
    const { tenant, endpointId } = await scene();
    const asked = { format: 'ndjson' as const, keepIds: false, targets: [{ theirs: 'a', endpointId }] };
    const opened = await Promise.all(
      Array.from({ length: 4 }, () => openImport(store.pool, tenant.id, asked, BY)),
    );
    expect(opened.filter(({ ok }) => ok)).toHaveLength(1);
    expect(opened.filter((each) => !each.ok).map((each) => !each.ok && each.code)).toEqual(
      Array(3).fill('other_open'),
    );
  });

  test('takes nothing once it has ended, in whatever way', async () => {
    const { tenant, endpointId } = await scene();
    for (const end of ['closed', 'abandoned', 'expired'] as const) {
      const it = await openTestImport(store, tenant, endpointId);
      await it.send(lines([goodLine('ndjson', 1)]));
      if (end !== 'expired') await closeImport(store.pool, tenant.id, it.id, end, BY);
      else {
        await store.rows('update imports set expires_at = now() where id = $1', [it.id]);
        expect(await it.send(lines([goodLine('ndjson', 2)]), { from: 2 })).toBe('not_open');
        expect(await withTransaction(store.pool, (tx) => expireImports(tx))).toBe(1);
      }
      expect(await it.send(lines([goodLine('ndjson', 2)]), { from: 2 })).toBe('not_open');
      expect(await it.now()).toMatchObject({ state: end, lines: 1 });
    }
    const acts = await store.rows(
      `select action, detail from audit_entries where tenant_id = $1 and action like 'import.%' order by id`,
      [tenant.id],
    );
    expect(acts.map(({ action }) => action)).toEqual([
      ...['import.opened', 'import.continued', 'import.closed'],
      ...['import.opened', 'import.continued', 'import.abandoned'],
      ...['import.opened', 'import.continued', 'import.expired'],
    ]);
    expect(acts[0]?.detail).toMatchObject({ format: 'ndjson', endpoints: [showId('endpoint', endpointId)] });
  });

  test('keeps its report for a time, and its counts for ever', async () => {
    const { tenant, endpointId } = await scene();
    const it = await openTestImport(store, tenant, endpointId);
    await it.send(lines([goodLine('ndjson', 1), goodLine('ndjson', 2), { broken: true }]));
    await closeImport(store.pool, tenant.id, it.id, 'closed', BY);
    const remove = () => withTransaction(store.pool, (tx) => removeOldLines(tx, 2));
    expect(await remove()).toBeUndefined();
    await store.rows(`update imports set ended_at = now() - interval '31 days' where id = $1`, [it.id]);
    expect([await remove(), await remove(), await remove()]).toEqual([
      { removed: 2 },
      { removed: 1 },
      undefined,
    ]);
    expect(await it.now()).toMatchObject({ linesRemoved: true, lines: 3, accepted: 2, refused: 1 });
  });
});
