import { setTimeout as delay } from 'node:timers/promises';
import { type Id, readId, showId } from '../src/domain/tenancy/typed-id.ts';
import { type Figures, percentiles } from './figures.ts';
import type { Bench } from './scenario.ts';
import { newScene } from './scene.ts';

const EVERY_MS = 20;

/** First deliveries at 50 events a second: from the POST of an event until its request is at the receiver; in ms. */
export async function measureFirstDeliveries(
  { rig, size, progress }: Bench,
  samples = size(500, { least: 50, most: 500 }),
): Promise<Figures> {
  const { key } = await newScene(rig);
  const payload = { fill: 'x'.repeat(1_000) };
  const sent: Promise<{ eventId: string; atMs: number; acceptedMs: number }>[] = [];
  const send = async (n: number) => {
    const since = performance.now();
    const { body } = await rig.client.expect(202, 'POST', '/api/v1/events', {
      key,
      body: { type: 'bench', payload: { n, ...payload } },
    });
    const acceptedMs = performance.now() - since;
    return { eventId: body.eventId, atMs: performance.timeOrigin + since, acceptedMs };
  };
  const startedAt = performance.now();
  for (let n = 0; n < samples; n++) {
    await delay(Math.max(0, startedAt + n * EVERY_MS - performance.now()));
    sent.push(send(n));
    progress.at(n, samples);
  }
  const accepted = await Promise.all(sent);
  const wireMs = await Promise.all(
    accepted.map(async ({ eventId, atMs }) => {
      const { rows } = await rig.pool.query<{ id: Id<'delivery'> }>(
        'select id from deliveries where event_id = $1 and replay_of is null',
        [readId('event', eventId)],
      );
      const [delivery] = rows;
      if (!delivery) throw new Error('an event has no delivery');
      return (await rig.receiver.arrival(showId('delivery', delivery.id))) - atMs;
    }),
  );
  return {
    samples,
    wireMs: percentiles(wireMs),
    acceptedMs: percentiles(accepted.map(({ acceptedMs }) => acceptedMs)),
  };
}
