import { expect, test } from '@jest/globals';
import { useApi } from '../../support/api/use-api.ts';
import { eventually } from '../../support/eventually.ts';
import { closedAfterEach } from '../../support/use.ts';

const PATH = '/api/v1/listeners';
const own = closedAfterEach();
const api = useApi({ listenersAskedEveryMs: 50 });

/** A listener with a connection, on which everything is taken and nothing answered: as by the machines before a peer that is gone. */
async function listening() {
  const { key } = await api.newTenant();
  const { body: listener } = await api.call('POST', PATH, { key, body: {} });
  const leaving = new AbortController();
  const stream = await fetch(`${api.url}${listener.links.stream}`, {
    headers: { authorization: `Bearer ${key}` },
    signal: leaving.signal,
  });
  let text = '';
  const reading = (async () => {
    for await (const chunk of stream.body ?? []) text += Buffer.from(chunk).toString();
  })().catch(() => {});
  own({
    async close() {
      leaving.abort();
      await reading;
    },
  });
  return {
    key,
    listener,
    text: () => text,
    checks: () => text.split('event: check\n').length - 1,
    endsAt: async () => {
      const { rows } = await api.database.pool.query('select expires_at from listeners where id = $1', [
        api.uuid(listener.id),
      ]);
      return rows[0].expires_at.getTime() as number;
    },
    expire: () =>
      api.database.pool.query(
        `update listeners set expires_at = clock_timestamp() - interval '1 second' where id = $1`,
        [api.uuid(listener.id)],
      ),
    here: (by = key) => api.call('POST', listener.links.answers, { key: by, body: { here: true } }),
  };
}

test('a listener is kept by a word of whoever listens, and not by a peer that takes what is written', async () => {
  const it = await listening();
  await eventually('it is asked', () => it.checks() > 0);
  const endsAt = await it.endsAt();
  const asked = it.checks();
  await eventually('it is asked again and again', () => it.checks() > asked + 5);
  expect(await it.endsAt()).toBe(endsAt);

  const stranger = await api.newTenant();
  expect((await it.here(stranger.key)).status).toBe(404);
  expect(await it.endsAt()).toBe(endsAt);
  expect((await it.here()).status).toBe(204);
  expect(await it.endsAt()).toBeGreaterThan(endsAt);
});

test('a listener whose peer is gone ends, says why, and leaves its place', async () => {
  const it = await listening();
  await eventually('it is asked', () => it.checks() > 0);
  await it.expire();
  await eventually('it has ended', () => it.text().includes('"why":"expired"'));
  expect((await it.here()).status).toBe(404);
  await eventually('its endpoint is deleted', async () => {
    const { body } = await api.call('GET', `/api/v1/endpoints/${it.listener.endpointId}`, { key: it.key });
    return body.state === 'deleted';
  });
  const { body } = await api.call('POST', '/api/v1/events', { key: it.key, body: { type: 'a', payload: 1 } });
  expect(body.deliveries).toBe(0);
});
