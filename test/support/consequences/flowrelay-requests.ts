import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { type Asked, type Entry, entry, type Send, withKey } from './asked.ts';
import { nth, place } from './retry-bodies.ts';
import type { World } from './world.ts';

/** Where everything of FlowRelay is. */
export const FLOWRELAY = '/flowrelay/v1';

/** Previews the handoff of a delivery under a key of its own. */
function previewOf(n: number, world: World): Asked & { key: string } {
  const { eventId, endpointId } = nth(world.deliveries, n);
  const key = randomUUID();
  return {
    key,
    path: `${FLOWRELAY}/receipts/${eventId.replace(/^evt/, 'rcp')}/replay/preview`,
    body: { endpointId },
    ...withKey(key),
    accepted: ({ replayId }) => world.previews.push({ id: replayId, key }),
  };
}

/** A replay that was previewed, and confirmed where that is asked for; one that is nobody's where none was taken. */
async function replayOf(
  n: number,
  world: World,
  send: Send,
  confirmed: boolean,
): Promise<{ id: string; key: string }> {
  for (let again = 0; again < 40; again++) if (await send(previewOf(n + again, world))) break;
  const found = world.previews.at(-1) ?? { id: 'rrp_01k9z3e5hbe7r9qk2m4n6p8r0s', key: randomUUID() };
  if (confirmed)
    await send({
      path: `${FLOWRELAY}/replays/${found.id}/confirm`,
      body: { confirmDuplicateRisk: true },
      ...withKey(found.key),
    });
  return found;
}

/** Requests of FlowRelay: a replay that is executed was previewed and confirmed before. */
export function flowRelay(send: Send): Record<string, Entry> {
  return {
    [`${FLOWRELAY}/receipts/{id}/replay/preview`]: entry(8, place, (n, world) => previewOf(n, world)),
    [`${FLOWRELAY}/replays/{id}/confirm`]: entry(
      6,
      fc.tuple(place, fc.boolean()),
      async ([n, risk], world) => {
        const { id, key } = await replayOf(n, world, send, false);
        return {
          path: `${FLOWRELAY}/replays/${id}/confirm`,
          body: { confirmDuplicateRisk: risk },
          ...withKey(key),
        };
      },
    ),
    [`${FLOWRELAY}/replays/{id}/execute`]: entry(8, place, async (n, world) => {
      const { id, key } = await replayOf(n, world, send, true);
      return { path: `${FLOWRELAY}/replays/${id}/execute`, body: {}, ...withKey(key) };
    }),
  };
}
