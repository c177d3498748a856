import { afterEach, expect, test } from '@jest/globals';
import { uuidIn } from '../support/api/retries.ts';
import { createScene } from '../support/engine/recovery-scene.ts';
import { useEngine } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { type Receiver, startReceiver } from '../support/receivers/receiver.ts';
import { ok, status } from '../support/receivers/receiver-behaviour.ts';
import { jackHenryAt } from '../support/surfaces/jack-henry.ts';
import { closedAfterEach } from '../support/use.ts';

const engine = useEngine();
const own = closedAfterEach();
const receivers: Receiver[] = [];

afterEach(async () => {
  await Promise.all(receivers.splice(0).map((each) => each.close()));
});

/** A tenant with an endpoint that fails, a key with the grant of an operator, and a receiver of that operator. */
async function scene() {
  const it = own(await createScene(engine, [status(500)]));
  const theirs = await startReceiver(ok);
  receivers.push(theirs);
  const { key } = it.tenant;
  const granted = await engine.client.expect(201, 'POST', '/api/v1/keys', {
    body: { tenantId: it.tenant.id, name: 'operator', grant: 'operator' },
  });
  const [ours, endpoint] = [it.receivers[0] as Receiver, it.endpoints[0]];
  const accept = async (n: number) => {
    const accepted = await engine.client.expect(202, 'POST', '/api/v1/events', {
      key,
      body: { type: 'a', payload: { n } },
    });
    return accepted.body.eventId as string;
  };
  const got = (receiver: Receiver) =>
    receiver.requests.map(({ body }) => (JSON.parse(body.toString()) as { n: number }).n);
  return {
    ...it,
    ...{ ours, theirs, endpoint, accept, got, granted: granted.body.key as string },
    move: (by: string, url: string, more: object = {}) =>
      engine.client.expect(200, 'PATCH', `/api/v1/endpoints/${endpoint.id}`, {
        key: by,
        body: { url, ...more },
      }),
    again: async (eventId: string, mode: 'retry' | 'replay' = 'replay') => {
      const started = await it.retries.start({ select: { eventIds: [eventId] }, mode });
      return it.retries.ended(started.id);
    },
    failed: (count: number) =>
      eventually('they have failed', async () => (await it.ids(`state = 'failed'`)).length === count),
  };
}

test('an endpoint that a grant moved gets later events, and earlier ones go on to where it was', async () => {
  const it = await scene();
  const before = await it.accept(1);
  await it.failed(1);
  expect(it.got(it.ours)).toEqual([1]);

  await it.move(it.granted, it.theirs.url('/in'));
  await it.accept(2);
  await eventually('what follows arrives', () => it.got(it.theirs).includes(2));
  await it.again(before, 'retry');
  await it.again(before);
  expect(it.got(it.ours)).toEqual([1, 1, 1]);

  // Once more as a new event: its content is as old as it was.
  const repeated = await fetch(`${engine.service.url}/events/${uuidIn('event', before)}/retry`, {
    method: 'POST',
    headers: { authorization: it.tenant.key },
  });
  expect(repeated.status).toBe(200);
  await eventually('the repeat arrives', () => it.got(it.ours).length === 4);
  // Moved by a grant once more, also within the origin: each goes to where the endpoint was.
  await it.move(it.granted, it.theirs.url('/further'));
  await it.move(it.granted, it.ours.url('/hook'));
  it.ours.switchTo(ok);
  await it.accept(3);
  await eventually('it arrives', () => it.got(it.ours).includes(3));
  const [second] = await it.ids(`state = 'delivered' and attempts = 1`);
  const { rows } = await engine.database.pool.query('select event_id from deliveries where id = $1', [
    second,
  ]);
  await it.again(rows[0].event_id);
  expect(it.theirs.requests.map(({ path }) => path)).toEqual(['/in', '/further']);
  await it.again(before);
  expect(it.got(it.theirs)).toEqual([2, 2]);

  // A credential that may do all of it lets earlier events go there.
  await it.move(it.tenant.key, it.theirs.url('/all'));
  await it.again(before);
  expect(it.got(it.theirs)).toEqual([2, 2, 1]);
});

test('an endpoint that a grant made is not matched to earlier events', async () => {
  const it = await scene();
  const id = uuidIn('tenant', it.tenant.id);
  const jackHenry = jackHenryAt(engine.service.url ?? '', it.tenant.key);
  const before = await it.accept(1);
  await it.failed(1);
  const made = await engine.client.expect(201, 'POST', '/api/v1/endpoints', {
    key: it.granted,
    body: { url: it.theirs.url('/in') },
  });
  const afresh = async () =>
    it.retries.ended(await jackHenry.retry(`/${id}/retries/events`, { eventId: [uuidIn('event', before)] }));
  await afresh();
  expect(it.got(it.theirs)).toEqual([]);
  await it.accept(2);
  await eventually('what follows arrives', () => it.got(it.theirs).includes(2));
  // Named, and without its filter: it still was not there.
  await jackHenry.retry(
    `/${id}/retries/subscriptions/${uuidIn('endpoint', made.body.id)}/events/${uuidIn('event', before)}`,
    {
      bypassSubscriptionFilter: true,
    },
  );
  await afresh();
  expect(it.got(it.theirs)).toEqual([2]);

  await engine.client.expect(200, 'PATCH', `/api/v1/endpoints/${made.body.id}`, {
    key: it.tenant.key,
    body: { url: it.theirs.url('/in') },
  });
  await afresh();
  expect(it.got(it.theirs)).toEqual([2, 1]);
});
