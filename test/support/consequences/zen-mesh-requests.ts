import fc from 'fast-check';
import { uuidIn } from '../api/retries.ts';
import { type Entry, entry, filled, idempotencyKey, withKey } from './asked.ts';
import { range, textAmong } from './awkward.ts';
import { nth, place } from './retry-bodies.ts';
import { SOURCES } from './world.ts';

const ZEN_EVENT = '/v1/tenants/{tid}/events/{eid}/retry';
const ZEN_BATCH = '/v1/tenants/{tid}/retry/batch';

/** Requests of Zen Mesh. */
export const ZEN_MESH: Record<string, Entry> = {
  [ZEN_EVENT]: entry(8, fc.tuple(place, idempotencyKey), ([n, key], { tenant, events }) => ({
    path: filled(ZEN_EVENT, { tid: tenant.handle, eid: nth(events, n) }),
    body: {},
    ...withKey(key),
  })),
  [ZEN_BATCH]: entry(
    8,
    fc.tuple(
      fc.array(fc.tuple(place, fc.constantFrom('dlv', 'del', 'uuid')), { minLength: 1, maxLength: 40 }),
      idempotencyKey,
    ),
    ([picked, key], { tenant, deliveries }) => ({
      path: filled(ZEN_BATCH, { tid: uuidIn('tenant', tenant.id) }),
      body: {
        delivery_ids: picked.map(([n, form]) => {
          const { id } = nth(deliveries, n);
          return form === 'uuid' ? uuidIn('delivery', id) : id.replace(/^dlv/, form);
        }),
      },
      ...withKey(key),
    }),
  ),
  '/v1/replays': entry(
    8,
    fc.tuple(textAmong(...SOURCES), range('since', 'until', { whole: true }), idempotencyKey),
    ([source_id, time_range, key]) => ({
      path: '/v1/replays',
      body: { source_id, time_range },
      ...withKey(key),
    }),
  ),
};
