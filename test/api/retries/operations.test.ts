import { describe, expect, test } from '@jest/globals';
import { startTestApi } from '../../support/api/test-api.ts';
import { useApi } from '../../support/api/use-api.ts';
import { useFailures } from '../../support/api/use-failures.ts';
import { seedFailedDeliveries } from '../../support/engine/failed-deliveries.ts';

const api = useApi();
const { fresh, post } = useFailures(api, 6);

describe('an operation', () => {
  test('is listed newest first, by state, page by page', async () => {
    const { key } = await api.newTenant();
    const ids: string[] = [];
    for (let n = 0; n < 3; n += 1)
      ids.unshift(
        (await api.call('POST', '/api/v1/retries', { key, body: { select: { deliveryIds: [] } } })).body.id,
      );
    const first = await api.call('GET', '/api/v1/retries?limit=2', { key });
    const second = await api.call('GET', `/api/v1/retries?limit=2&cursor=${first.body.nextCursor}`, { key });
    expect([...first.body.items, ...second.body.items].map(({ id }) => id)).toEqual(ids);
    expect((await api.call('GET', '/api/v1/retries?state=completed', { key })).body.items).toEqual([]);
    expect(
      (await api.call('GET', '/api/v1/retries?state=accepted&state=running', { key })).body.items.length,
    ).toBe(3);
    expect((await api.call('GET', '/api/v1/retries?state=broken', { key })).status).toBe(400);
  });

  test('shows its items in pages and as NDJSON, items before exclusions', async () => {
    const some = [fresh(), fresh(), fresh()];
    const selected = some.map(({ deliveryId }) => deliveryId);
    await post({ select: { deliveryIds: selected.slice(0, 1) } });
    const { body: operation } = await post({ select: { deliveryIds: selected } });
    const path = `/api/v1/retries/${operation.id}/items`;
    const items: { kind: string; deliveryId: string }[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page = await api.call('GET', `${path}?limit=1${cursor && `&cursor=${cursor}`}`);
      items.push(...page.body.items);
      cursor = page.body.nextCursor;
    }
    expect(items.map(({ kind }) => kind)).toEqual(['item', 'item', 'exclusion']);
    expect(new Set(items.map(({ deliveryId }) => deliveryId))).toEqual(new Set(selected));
    const excluded = await api.call('GET', `${path}?state=excluded`);
    expect(excluded.body.items).toMatchObject([
      { kind: 'exclusion', reason: 'coalesced', deliveryId: selected[0] },
    ]);
    expect((await api.call('GET', `${path}?state=delivered`)).body.items).toEqual([]);
    const stream = await api.call('GET', path, { headers: { accept: 'application/x-ndjson' } });
    expect(stream.headers.get('content-type')).toBe('application/x-ndjson');
    expect(
      stream.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(items);
  });

  test('takes control where its state allows, and says so where not', async () => {
    const { deliveryId } = fresh();
    const { body: operation } = await post({ select: { deliveryIds: [deliveryId] } });
    const path = `/api/v1/retries/${operation.id}`;
    const nudged = api.poked.nudged.length;
    expect((await api.call('POST', `${path}/pause`)).body).toMatchObject({
      state: 'paused',
      control: 'pause',
      inFlight: 0,
    });
    expect((await api.call('POST', `${path}/rate`, { body: { ratePerSecond: 7 } })).body).toMatchObject({
      ratePerSecond: 7,
    });
    expect((await api.call('POST', `${path}/rate`, { body: { perSecond: null } })).body).toMatchObject({
      ratePerSecond: null,
    });
    expect((await api.call('POST', `${path}/resume`, { body: {} })).body).toMatchObject({ control: 'run' });
    expect((await api.call('POST', `${path}/resume`)).body).toMatchObject({
      code: 'state_conflict',
      status: 409,
    });
    expect((await api.call('POST', `${path}/cancel`)).body).toMatchObject({ control: 'cancel' });
    expect((await api.call('POST', `${path}/pause`)).body).toMatchObject({ code: 'state_conflict' });
    expect(api.poked.nudged.length).toBeGreaterThan(nudged);
    expect((await api.call('GET', `${path}/report`)).body).toMatchObject({ code: 'state_conflict' });
  });

  test('shows who asked for it, who did what to it, and what it comes to; its report does, too', async () => {
    const [delivery] = await seedFailedDeliveries(api, 1);
    const { body: asked } = await post({
      select: { deliveryIds: [delivery?.deliveryId] },
      reason: 'r',
      ticket: 'T-1',
    });
    const path = `/api/v1/retries/${asked.id}`;
    const other = await api.newKey(api.tenant.id, ['read:deliveries', 'write:deliveries']);
    await api.call('POST', `${path}/pause`, { key: other });
    await api.call('POST', `${path}/rate`, { key: other, body: { perSecond: 3 } });
    await api.call('POST', `${path}/cancel`);
    const keys = await api.call('GET', '/api/v1/keys');
    const [second, first] = keys.body.items.map(({ id }: { id: string }) => id);
    const details = {
      requestedBy: first,
      reason: 'r',
      ticket: 'T-1',
      select: { deliveryIds: [delivery?.deliveryId] },
      controls: [
        { did: 'pause', by: second },
        { did: 'rate', by: second, ratePerSecond: 3 },
        { did: 'cancel', by: first },
      ],
      halts: [],
      endpointCount: 1,
      endpoints: [{ items: 1, others: 1 }],
    };
    expect((await api.call('GET', path)).body).toMatchObject({ ...details, causes: [] });
    expect((await api.call('GET', '/api/v1/retries?limit=1')).body.items).toMatchObject([
      { id: asked.id, requestedBy: first },
    ]);
    await close(asked.id);
    // One that closed before this was kept.
    const { endpointCount, endpoints, ...kept } = details;
    expect((await api.call('GET', `${path}/report`)).body).toMatchObject({
      ...kept,
      endpointCount: null,
      endpoints: null,
      causes: null,
    });
  });

  test('is paced by one name for its rate, or by the earlier one', async () => {
    const { body: operation } = await post({ select: { deliveryIds: [] } });
    const path = `/api/v1/retries/${operation.id}/rate`;
    for (const body of [{}, { ratePerSecond: 1, perSecond: 1 }])
      expect(await api.call('POST', path, { body })).toMatchObject({
        status: 400,
        body: { errors: [{ pointer: '#/ratePerSecond', code: 'required' }] },
      });
    expect((await api.call('POST', path, { body: { perSecond: 2 } })).body.ratePerSecond).toBe(2);
  });

  test('says at the first look when it will have sent what is due, and what that leaves out', async () => {
    const { body: operation } = await post({
      select: { deliveryIds: [fresh().deliveryId] },
      options: { ratePerSecond: 0.25 },
    });
    expect(operation).toMatchObject({ etaSeconds: null, etaLeavesOut: null });
    await api.database.pool.query(`update operations set state = 'running' where id = $1`, [
      api.uuid(operation.id),
    ]);
    expect((await api.call('GET', `/api/v1/retries/${operation.id}`)).body).toMatchObject({
      etaSeconds: 4,
      etaLeavesOut: { scheduled: 0, unknown: 0 },
    });
  });

  test('is followed by events until it has closed', async () => {
    const { body: operation } = await post({ select: { deliveryIds: [fresh().deliveryId] } });
    const path = `/api/v1/retries/${operation.id}`;
    const following = api.call('GET', `${path}/stream`, { headers: { accept: 'text/event-stream' } });
    await api.call('POST', `${path}/pause`);
    await close(operation.id);
    const stream = await following;
    expect(stream.headers.get('content-type')).toBe('text/event-stream');
    const events = stream.text
      .split('\n\n')
      .filter((block) => block.startsWith('event:'))
      .map((block) => ({
        event: /^event: (.*)$/m.exec(block)?.[1],
        data: JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? ''),
      }));
    expect(events.at(-1)).toMatchObject({
      event: 'closed',
      data: { id: operation.id, state: 'cancelled', nextEvent: null },
    });
    expect(events.slice(0, -1).every(({ event }) => event === 'progress')).toBe(true);
    expect(events[0]?.data).not.toHaveProperty('select');
    const report = await api.call('GET', `${path}/report`);
    expect(report.body).toMatchObject({
      operationId: operation.id,
      state: 'cancelled',
      attempts: 0,
      firstAttemptAt: null,
    });
  });

  test('is followed no longer when the follower has gone', async () => {
    const { body: operation } = await post({ select: { deliveryIds: [] } });
    const gone = new AbortController();
    const response = await fetch(`${api.url}/api/v1/retries/${operation.id}/stream`, {
      headers: { authorization: `Bearer ${api.key}` },
      signal: gone.signal,
    });
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toContain('retry:');
    gone.abort();
    await expect(reader?.read()).rejects.toThrow();
  });

  test('is followed no longer when the server shuts down', async () => {
    const shutdown = new AbortController();
    const other = await startTestApi({ shutdown: shutdown.signal });
    try {
      const { body: operation } = await other.call('POST', '/api/v1/retries', {
        body: { select: { deliveryIds: [] } },
      });
      const response = await fetch(`${other.url}/api/v1/retries/${operation.id}/stream`, {
        headers: { authorization: `Bearer ${other.key}` },
      });
      shutdown.abort();
      // Ended, not cut off: reading to the end succeeds.
      expect(await response.text()).toMatch(/^(retry: 2000\n\n)?/);
    } finally {
      await other.close();
    }
  });
});

/** Ends an operation as its workflow would; the content of the report is of no interest here. */
async function close(operationId: string): Promise<void> {
  const report = { counts: {}, mayHaveArrived: 0, exclusions: {}, attempts: 0 };
  await api.database.pool.query(
    `update operations set state = 'closing', control = 'cancel' where id = $1 and state <> 'closing'`,
    [api.uuid(operationId)],
  );
  await api.database.pool.query(
    `update operations o set state = 'cancelled', closed_at = now(), next_event_at = null,
      report = $2::jsonb || jsonb_build_object('counts', to_jsonb(c) - 'operation_id' - 'frozen')
     from operation_counts c where c.operation_id = o.id and o.id = $1`,
    [api.uuid(operationId), JSON.stringify(report)],
  );
}
