import { describe, expect, test } from '@jest/globals';
import type { EndpointConfig } from '../../../src/domain/endpoints/endpoint.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { createIngest } from '../../../src/ingest/create-ingest.ts';
import type { IncomingEvent } from '../../../src/ingest/matched-event.ts';
import type { AcceptedEvent } from '../../../src/ingest/write-calls.ts';
import { erasePayloadOf } from '../../../src/operations/deliveries/erase-payload.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { acknowledge } from '../../../src/store/settling/acknowledgements.ts';
import { erasePayload } from '../../../src/store/settling/payload-retention.ts';
import { repeatEvent } from '../../../src/surfaces/stedi/store/repeated-events.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();
const BY = { actor: 'key_test' };

type Sent = Partial<Omit<IncomingEvent, 'payload' | 'payloadBytes' | 'body'>> & { payload?: unknown };

const incoming = ({ payload = { n: 1 }, ...event }: Sent): IncomingEvent => {
  const body = JSON.stringify(payload);
  return { externalId: 'x', type: 'order.paid', ...event, body, payloadBytes: body.length, payload };
};

async function sendAll(tenant: TestTenant, events: Sent[]): Promise<AcceptedEvent[]> {
  return createIngest(store.deps)(tenant.id, events.map(incoming));
}

async function send(tenant: TestTenant, event: Sent = {}): Promise<AcceptedEvent> {
  return (await sendAll(tenant, [event]))[0] as AcceptedEvent;
}

async function scene(config: Partial<EndpointConfig> = {}) {
  const tenant = await store.newTenant();
  const endpointId = await store.newEndpoint(tenant, config);
  return { tenant, endpointId, here: { endpointIds: [endpointId] } };
}

async function setState(endpointId: Id<'endpoint'>, state: string): Promise<void> {
  await store.rows(
    `update endpoints set state = $2, disabled_reason = case $2 when 'disabled' then 'operator' end where id = $1`,
    [endpointId, state],
  );
}

async function deliveryOf({ eventId }: AcceptedEvent, endpointId: Id<'endpoint'>) {
  const [row] = await store.rows(
    `select d.*, (select e.reason from executions e where e.delivery_id = d.id order by e.id desc limit 1) as reason
     from deliveries d where d.event_id = $1 and d.endpoint_id = $2`,
    [eventId, endpointId],
  );
  return row;
}

const payloadsOf = async ({ eventId }: AcceptedEvent) =>
  (await store.rows('select body from payloads where event_id = $1', [eventId])).map(({ body }) => body);

/** Brings the first event, at an endpoint of its own, into each of these standings. */
const STANDINGS: Record<
  string,
  (first: AcceptedEvent, at: Awaited<ReturnType<typeof scene>>) => Promise<unknown>
> = {
  delivered: (_, { here }) => store.attempt(200, here),
  queued: async () => {},
  'to be tried again': (_, { here }) => store.attempt(503, here),
  'of unknown outcome': (_, { here }) => store.attempt('timeout', here),
  'failed, with its payload': (_, { here }) => store.attempt(422, here),
  'failed, its payload gone': async ({ eventId }, { tenant, here }) => {
    await store.attempt(422, here);
    await erasePayload(store.pool, tenant.id, eventId);
  },
  'queued, its payload erased': ({ eventId }, { tenant }) =>
    erasePayloadOf({ pool: store.pool, pokeLiveLane: () => {} }, tenant.id, eventId, BY),
  'to be tried again, its payload erased': async ({ eventId }, { tenant, here }) => {
    await store.attempt(503, here);
    await erasePayloadOf({ pool: store.pool, pokeLiveLane: () => {} }, tenant.id, eventId, BY);
  },
  // It was on the wire when the payload was erased, and is to be tried again since.
  'to be tried again, without its payload': async ({ eventId }, { tenant, here }) => {
    await store.attempt(503, here);
    await erasePayload(store.pool, tenant.id, eventId);
  },
  'of unknown outcome, its payload erased': async ({ eventId }, { tenant, here }) => {
    await store.attempt('timeout', here);
    await erasePayloadOf({ pool: store.pool, pokeLiveLane: () => {} }, tenant.id, eventId, BY);
  },
  'delivered, its payload gone': async ({ eventId }, { tenant, here }) => {
    await store.attempt(200, here);
    await erasePayload(store.pool, tenant.id, eventId);
  },
};

/** Whether a repeat is suppressed at the endpoint that had the first: with the same payload, and with another one. */
const SUPPRESSED: Record<string, [same: boolean, changed: boolean]> = {
  delivered: [true, true],
  queued: [true, true],
  'to be tried again': [true, true],
  'of unknown outcome': [true, true],
  'failed, with its payload': [true, false],
  'failed, its payload gone': [false, false],
  'queued, its payload erased': [false, false],
  'to be tried again, its payload erased': [false, false],
  'to be tried again, without its payload': [false, false],
  'of unknown outcome, its payload erased': [true, true],
  'delivered, its payload gone': [true, true],
};

describe.each(Object.keys(STANDINGS))('after a first that is %s, a repeat', (standing) => {
  test.each([
    ['the same payload', { n: 1 }, 0],
    ['another payload', { n: 2 }, 1],
  ] as const)('with %s is suppressed there or not, and nowhere else', async (_, payload, column) => {
    const at = await scene(standing.startsWith('of unknown outcome') ? { onAmbiguous: 'hold' } : {});
    const first = await send(at.tenant);
    await STANDINGS[standing]?.(first, at);
    const other = await store.newEndpoint(at.tenant);
    const suppressed = SUPPRESSED[standing]?.[column] ?? false;
    const again = await send(at.tenant, { payload });
    expect(again).toMatchObject({
      duplicateOf: first.eventId,
      deliveries: suppressed ? 1 : 2,
      suppressed: suppressed ? 1 : 0,
    });
    expect(await deliveryOf(again, other)).toMatchObject({ state: 'pending' });
    expect(await payloadsOf(again)).toEqual([JSON.stringify(payload)]);
    const [old, now] = [await deliveryOf(first, at.endpointId), await deliveryOf(again, at.endpointId)];
    if (suppressed) {
      expect(now).toMatchObject({ state: 'ignored', reason: 'suppressed_duplicate' });
      expect(old.resent_by).toBeNull();
    } else {
      expect(now).toMatchObject({ state: 'pending', reason: null });
      expect(old).toMatchObject({ resent_by: now.id, reason: 'resent' });
    }
    for (const more of [{ type: 'order.sent' }, { source: 'shop' }, { externalId: 'y' }]) {
      const elsewhere = await send(at.tenant, { payload, ...more });
      expect(elsewhere).toMatchObject({ deliveries: 2, suppressed: 0 });
      expect(elsewhere.duplicateOf).toBeUndefined();
    }
  });
});

describe('a repeat', () => {
  test('that is suppressed everywhere keeps no payload', async () => {
    const { tenant } = await scene();
    await send(tenant);
    expect(await payloadsOf(await send(tenant, { payload: 2 }))).toEqual([]);
  });

  test('goes to the endpoint that took the place of a deleted one', async () => {
    const { tenant, endpointId, here } = await scene();
    await send(tenant);
    await store.attempt(422, here);
    await setState(endpointId, 'deleted');
    const successor = await store.newEndpoint(tenant);
    const again = await send(tenant);
    expect(again).toMatchObject({ deliveries: 1, suppressed: 0 });
    expect(await deliveryOf(again, successor)).toMatchObject({ state: 'pending' });
  });

  test('waits with the first where the endpoint is disabled, and replaces it there where its payload changed', async () => {
    const { tenant, endpointId } = await scene();
    await setState(endpointId, 'disabled');
    const first = await send(tenant);
    expect(await send(tenant)).toMatchObject({ deliveries: 0, suppressed: 1 });
    const corrected = await send(tenant, { payload: 'new' });
    expect(corrected).toMatchObject({ deliveries: 0, suppressed: 0 });
    const now = await deliveryOf(corrected, endpointId);
    expect(now).toMatchObject({ state: 'ignored', reason: 'endpoint_disabled' });
    expect(await deliveryOf(first, endpointId)).toMatchObject({ resent_by: now.id });
  });

  test('of a repeat is compared with the event that stands for both; the first that was delivered after all stands', async () => {
    const { tenant, endpointId, here } = await scene();
    const first = await send(tenant);
    await store.attempt(422, here);
    const second = await send(tenant, { payload: 2 });
    await store.attempt(422, here);
    expect(await send(tenant, { payload: 2 })).toMatchObject({ suppressed: 1 });
    const third = await send(tenant, { payload: 3 });
    expect(third).toMatchObject({ deliveries: 1, duplicateOf: first.eventId });
    expect((await deliveryOf(second, endpointId)).resent_by).toBe((await deliveryOf(third, endpointId)).id);
    await store.attempt(422, here);
    const { id } = await deliveryOf(first, endpointId);
    await withTransaction(store.pool, (db) => acknowledge(db, [id]));
    expect(await send(tenant, { payload: 4 })).toMatchObject({ deliveries: 0, suppressed: 1 });
  });

  test('in the same call is decided as if it came after', async () => {
    const { tenant, endpointId } = await scene();
    const off = await store.newEndpoint(tenant);
    await setState(off, 'disabled');
    const [first, same, changed] = await sendAll(tenant, [{}, {}, { payload: 2 }]);
    expect(first).toMatchObject({ deliveries: 1, suppressed: 0 });
    expect(same).toMatchObject({ deliveries: 0, suppressed: 2, duplicateOf: first?.eventId });
    expect(changed).toMatchObject({ deliveries: 0, suppressed: 1, duplicateOf: first?.eventId });
    expect((await deliveryOf(first as AcceptedEvent, off)).resent_by).toBe(
      (await deliveryOf(changed as AcceptedEvent, off)).id,
    );
    expect(await deliveryOf(changed as AcceptedEvent, endpointId)).toMatchObject({
      reason: 'suppressed_duplicate',
    });
  });

  test('sent many times at once is delivered once, and so is its correction', async () => {
    const { tenant, here } = await scene();
    const acceptors = Array.from({ length: 4 }, () => createIngest(store.deps));
    const storm = async (event: Sent) => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) => acceptors[n % 4]?.(tenant.id, [incoming(event)])),
      );
      return answers.flat().reduce((sum, accepted) => sum + (accepted?.deliveries ?? 0), 0);
    };
    expect(await storm({})).toBe(1);
    await store.attempt(422, here);
    expect(await storm({ payload: 2 })).toBe(1);
  });

  test('and a retry of the first at the same moment send one thing', async () => {
    for (let round = 0; round < 12; round++) {
      const { tenant, endpointId, here } = await scene();
      const first = await send(tenant);
      await store.attempt(422, here);
      const [again] = await Promise.all([
        send(tenant, { payload: round }),
        store.retry(tenant, { eventIds: [first.eventId] }),
      ]);
      const claim = await store.claim(here);
      expect(claim.items).toHaveLength(1);
      const old = await deliveryOf(first, endpointId);
      expect(old.resent_by === null).toBe(again.suppressed === 1);
      await store.record(claim, 200);
    }
  });

  test('takes the place of the first in the order of its key, before those that wait behind it', async () => {
    const { tenant, here } = await scene({ ordered: true });
    await send(tenant, { key: 'k' });
    await send(tenant, { key: 'k', externalId: 'behind' });
    const ordered = async () => {
      const { items } = await store.claim({ ...here, count: 1 });
      return items;
    };
    await store.attempt(422, { ...here, count: 1 });
    const corrected = await send(tenant, { key: 'k', payload: 'right' });
    const [delivery] = await store.rows('select id, order_number from deliveries where event_id = $1', [
      corrected.eventId,
    ]);
    expect(delivery.order_number).toBe(1);
    const rows = await store.rows(
      'select blocked_by(d.id) as by from deliveries d where d.tenant_id = $1 and d.order_number = 2',
      [tenant.id],
    );
    expect(rows).toEqual([{ by: delivery.id }]);
    await store.rows(`update executions set due_at = now() where delivery_id = $1`, [delivery.id]);
    expect(await ordered()).not.toHaveLength(0);
  });
});

describe('an event that was sent again', () => {
  async function resent(config: Partial<EndpointConfig> = {}) {
    const at = await scene(config);
    const first = await send(at.tenant);
    await store.attempt(422, at.here);
    const again = await send(at.tenant, { payload: 2 });
    await store.attempt(422, at.here);
    const [old, now] = [await deliveryOf(first, at.endpointId), await deliveryOf(again, at.endpointId)];
    return { ...at, first, again, old, now };
  }

  test('is left out of every retry and replay, which name its successor', async () => {
    const { tenant, first, old, now } = await resent();
    const excluded = { deliveryId: old.id, became: 'excluded', reason: 'resent', resentBy: now.id };
    for (const selection of [
      { deliveryIds: [old.id] },
      { eventIds: [first.eventId] },
      { afresh: { eventIds: [first.eventId] } },
      { filter: { deliveryIds: [old.id] } },
    ])
      for (const kind of ['retry', 'replay'] as const)
        for (const options of [{}, { matchFilter: true }, { takeOverScheduled: true }])
          expect((await store.retry(tenant, selection, { kind, options })).items).toEqual([
            expect.objectContaining(excluded),
          ]);
    const { operationId } = await store.retry(tenant, { filter: { state: ['failed'] } });
    await store.select(operationId);
    expect(
      await store.rows('select delivery_id, reason from exclusions where operation_id = $1', [operationId]),
    ).toEqual([{ delivery_id: old.id, reason: 'resent' }]);
    expect(
      await store.rows('select delivery_id from executions where operation_id = $1', [operationId]),
    ).toEqual([{ delivery_id: now.id }]);
  });

  test('is replayed where that was confirmed, and left out again afterwards', async () => {
    const { tenant, old, here } = await resent();
    const selection = { deliveryIds: [old.id] };
    const confirmed = { kind: 'replay', options: { includeResent: true } } as const;
    expect((await store.retry(tenant, selection, confirmed)).items).toMatchObject([{ became: 'queued' }]);
    await store.attempt(422, here);
    expect((await store.retry(tenant, selection)).items).toMatchObject([{ reason: 'resent' }]);
    expect((await store.retry(tenant, selection, { ...confirmed, kind: 'retry' })).items).toMatchObject([
      { reason: 'resent' },
    ]);
  });

  test('gets no further endpoint when it is matched afresh; its successor does, where neither had one', async () => {
    const { tenant, first, again } = await resent();
    const later = await store.newEndpoint(tenant);
    const afresh = (eventIds: Id<'event'>[]) => store.retry(tenant, { afresh: { eventIds } });
    await afresh([first.eventId]);
    expect(await deliveryOf(first, later)).toBeUndefined();
    await afresh([again.eventId]);
    expect(await deliveryOf(again, later)).toMatchObject({ state: 'pending' });
  });

  test('is not repeated as a new event, unless it still stands for something', async () => {
    const { tenant, first, again, endpointId } = await resent();
    const repeated = (eventId: Id<'event'>) =>
      withTransaction(store.pool, (db) => repeatEvent(db, tenant.id, eventId));
    expect(await repeated(first.eventId)).toEqual({ ok: false, why: 'resent' });
    const suppressed = await send(tenant, { payload: 2 });
    expect(await repeated(suppressed.eventId)).toEqual({ ok: false, why: 'suppressed_duplicate' });
    expect(await repeated(again.eventId)).toMatchObject({ ok: true, queued: 1 });
    const other = await store.newEndpoint(tenant);
    const partly = await send(tenant, { payload: 2 });
    expect(partly).toMatchObject({ deliveries: 1, suppressed: 1 });
    const made = await repeated(partly.eventId);
    if (!made.ok) throw new Error(made.why);
    expect(
      await store.rows('select endpoint_id from deliveries where event_id = $1', [made.eventId]),
    ).toEqual([{ endpoint_id: other }]);
    expect(endpointId).not.toBe(other);
  });

  test('leaves a repeat suppressed that runs again with its filters, even where its event has a payload', async () => {
    const { tenant, endpointId } = await scene();
    await send(tenant);
    const other = await store.newEndpoint(tenant);
    const partly = await send(tenant);
    expect(await deliveryOf(partly, other)).toMatchObject({ state: 'pending' });
    const { id } = await deliveryOf(partly, endpointId);
    const { items } = await store.retry(tenant, { deliveryIds: [id] }, { options: { matchFilter: true } });
    expect(items).toMatchObject([{ became: 'ignored' }]);
    const { items: claimed } = await store.claim({ endpointIds: [endpointId] });
    expect(claimed.map(({ deliveryId }) => deliveryId)).not.toContain(id);
    expect(await send(tenant)).toMatchObject({ deliveries: 0, suppressed: 2 });
  });

  test('keeps delivery states that agree with its executions, and loses no attempt', async () => {
    const { old } = await resent();
    expect(old).toMatchObject({ state: 'failed', attempts: 1 });
    const { rows } = await store.pool.query('select d.state, folded_state(d.id) as folded from deliveries d');
    expect(rows.filter(({ state, folded }) => state !== folded)).toEqual([]);
  });
});
