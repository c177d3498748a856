import { describe, expect, test } from '@jest/globals';
import type { ImportFormat } from '../../../src/domain/imports/import-record.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { closeImport } from '../../../src/ingest/imports/open-import.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { knownEvents } from '../../../src/store/imports/known-before.ts';
import { erasePayload, expirePayloads } from '../../../src/store/settling/payload-retention.ts';
import { goodLine } from '../../support/imports/awkward-lines.ts';
import { lines, openTestImport } from '../../support/imports/take.ts';
import { useStore } from '../../support/store/use-store.ts';

/** What further lines tell of an event: in one upload, in a later one, and in a later import. */

const store = useStore({ checked: true });
const BY = { actor: 'test' };

async function scene(format: ImportFormat = 'ndjson', asked: object = {}) {
  const tenant = await store.newTenant();
  const endpointId = await store.newEndpoint(tenant);
  const open = (to = endpointId) => openTestImport(store, tenant, to, format, asked);
  let it = await open();
  let from = 1;
  return {
    tenant,
    endpointId,
    /** Sends lines behind those before, and answers with their fates. */
    async tell(...values: object[]): Promise<string[]> {
      await it.send(lines(values), { from });
      const fates = (await it.fates()).slice(from - 1);
      from += values.length;
      return fates;
    },
    /** Goes on in another import, by default into the same endpoint. */
    async anew(to = endpointId): Promise<void> {
      await closeImport(store.pool, tenant.id, it.id, 'closed', BY);
      it = await open(to);
      from = 1;
    },
    deliveries: () => deliveriesAt(endpointId),
  };
}

function deliveriesAt(endpointId: Id<'endpoint'>) {
  return store.rows(
    `select d.id, d.event_id, d.state, d.attempts, d.fault_code, d.http_status, d.last_attempt_at, e.may_have_arrived
     from deliveries d join executions e on e.delivery_id = d.id where d.endpoint_id = $1 order by d.id`,
    [endpointId],
  );
}

function attemptsAt(endpointId: Id<'endpoint'>) {
  return store.rows(
    `select a.id, a.number, a.outcome, a.resend from attempts a join executions e on e.id = a.execution_id
     where e.endpoint_id = $1 order by e.id, a.number`,
    [endpointId],
  );
}

const at = (minute: number) => `2026-11-03T02:${String(minute).padStart(2, '0')}:00Z`;
const DOUBTFUL: [ImportFormat, object, object][] = [
  // It exports its last attempt alone, and how many there were.
  [
    'hookdeck',
    { ...goodLine('hookdeck', 1), response_status: 404, attempts: 1 },
    { ...goodLine('hookdeck', 1), response_status: 404, attempts: 5 },
  ],
  [
    'hookdeck',
    { ...goodLine('hookdeck', 1), response_status: 404, attempts: 1 },
    { ...goodLine('hookdeck', 1), response_status: 404, attempts: 5, last_attempt_at: at(9) },
  ],
  [
    'convoy',
    { ...goodLine('convoy', 1), status: 'Discarded', metadata: { data: {}, num_trials: 0 } },
    { ...goodLine('convoy', 1), status: 'Failure', metadata: { data: {}, num_trials: 3 } },
  ],
  [
    'ndjson',
    { ...goodLine('ndjson', 1), attempts: [{ at: at(1), status: 404 }] },
    { ...goodLine('ndjson', 1), attempts: [{ at: at(1), status: 404 }], mayHaveArrived: true },
  ],
];

describe('doubt whether it has arrived', () => {
  test.each(DOUBTFUL)('is taken from a further line of %s', async (format, sure, unsure) => {
    for (const ways of ['in one batch', 'in another one', 'in another import']) {
      const it = await scene(format, format === 'hookdeck' ? { eventType: 'a.b' } : {});
      if (ways === 'in one batch') expect(await it.tell(sure, unsure)).toEqual(['accepted', 'accepted']);
      else {
        expect(await it.tell(sure)).toEqual(['accepted']);
        expect(await it.deliveries()).toMatchObject([{ may_have_arrived: false }]);
        if (ways === 'in another import') await it.anew();
        expect(await it.tell(unsure)).toEqual(['accepted']);
      }
      const [delivery] = await it.deliveries();
      expect(delivery).toMatchObject({ state: 'failed', may_have_arrived: true });
      if (format !== 'convoy') expect(delivery).toMatchObject({ fault_code: 'http_4xx', http_status: 404 });
      expect(await it.tell(unsure, sure)).toEqual(['known', 'known']);
      expect(await it.deliveries()).toEqual([delivery]);
    }
  });

  test('makes a resend of what was sent behind it, and of nothing else', async () => {
    const it = await scene();
    const told = (...attempts: object[]) => it.tell({ ...goodLine('ndjson', 1), attempts });
    await told({ at: at(1), status: 404 });
    await told({ at: at(2), error: 'timeout' });
    await told({ at: at(3), status: 404 }, { at: at(4), status: 404 });
    expect(await attemptsAt(it.endpointId)).toMatchObject(
      [false, false, true, true].map((resend, n) => ({ number: n + 1, resend })),
    );
  });
});

test('a success stays one, whatever earlier failures are told behind it', async () => {
  const it = await scene('svix');
  const told = (id: string, status: number, minute: number) =>
    it.tell({
      ...goodLine('svix', 1),
      id,
      status: status === 200 ? 0 : 2,
      responseStatusCode: status,
      timestamp: at(minute),
    });
  await told('a', 200, 5);
  await told('b', 404, 1);
  expect(await it.deliveries()).toMatchObject([{ state: 'delivered', attempts: 2, http_status: 200 }]);
});

test('attempts of one id there are told apart by the types of their events', async () => {
  const it = await scene('svix');
  const [line, { msg }] = [goodLine('svix', 1), goodLine('svix', 1) as { msg: object }];
  expect(await it.tell(line, { ...line, msg: { ...msg, eventType: 'other' } })).toEqual([
    'accepted',
    'accepted',
  ]);
  const attempts = await attemptsAt(it.endpointId);
  expect(new Set(attempts.map(({ id }) => id)).size).toBe(2);
});

test('an attempt is the same one with its message and without', async () => {
  const it = await scene('svix');
  const { msg: _, ...bare } = goodLine('svix', 1);
  expect(await it.tell(goodLine('svix', 1), bare)).toEqual(['accepted', 'known']);
  await it.anew();
  expect(await it.tell(bare)).toEqual(['known']);
});

test.each([
  ['convoy', 'uid'],
  ['sqs', 'MessageId'],
  ['ndjson', 'id'],
] as [ImportFormat, string][])(
  'an id of %s that cannot be sent is named by its member',
  async (format, member) => {
    const it = await scene(format, { keepIds: true });
    expect(await it.tell({ ...goodLine(format, 1), [member]: 'a.b' })).toEqual([`wrong_member ${member}`]);
  },
);

describe('an event whose payload is gone', () => {
  test.each(['erased', 'expired'])('(%s) is refused, here and for a further endpoint', async (how) => {
    const it = await scene();
    const line = { ...goodLine('ndjson', 1), attempts: [{ at: at(1), status: 404 }] };
    await it.tell(line);
    const [{ event_id: eventId }] = await it.deliveries();
    if (how === 'erased') await erasePayload(store.pool, it.tenant.id, eventId);
    else {
      await store.rows(`update tenants set settings = '{"payloadRetentionDays": 1}' where id = $1`, [
        it.tenant.id,
      ]);
      await store.rows(`update events set accepted_at = accepted_at - interval '2 days' where id = $1`, [
        eventId,
      ]);
      await withTransaction(store.pool, (tx) => expirePayloads(tx, it.tenant.id, 10));
    }
    await it.anew();
    expect(await it.tell(line, { ...line, source: 'anew' })).toEqual(['payload_gone', 'accepted']);
    const further = await store.newEndpoint(it.tenant);
    await it.anew(further);
    expect(await it.tell(line)).toEqual(['payload_gone']);
    expect(await deliveriesAt(further)).toEqual([]);
    await it.anew();
    const success = { ...line, attempts: [{ at: at(2), status: 200 }] };
    expect(await it.tell(success, line)).toEqual(['accepted', 'known']);
  });
});

test('an id that many events have is looked up by what a line names, and no further', async () => {
  const { tenant, tell } = await scene();
  const of = (type: string, source: string) => ({ ...goodLine('ndjson', 1), id: 'x', type, source });
  await tell(...Array.from({ length: 300 }, (_, n) => of(`t${n}`, 's')), of('t0', 'own'));
  const look = (asked: Partial<Parameters<typeof knownEvents>[2]>) =>
    withTransaction(store.pool, (tx) => knownEvents(tx, tenant.id, { identities: [], names: [], ...asked }));
  const identity = { externalId: 'x', type: 't7', source: 's' };
  expect(await look({ identities: [identity] })).toMatchObject([{ ...identity, imported: true }]);
  expect(await look({ identities: [{ externalId: 'x', type: 't7' }] })).toEqual([]);
  expect(await look({ names: [identity] })).toHaveLength(2);
  expect(await look({ names: [{ externalId: 'x', source: 'own' }] })).toHaveLength(1);
});
