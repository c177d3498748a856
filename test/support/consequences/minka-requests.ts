import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { signed } from '../surfaces/minka-client.ts';
import { type Entry, entry, filled, present } from './asked.ts';
import { optional } from './awkward.ts';
import { nth, place } from './retry-bodies.ts';

const MINKA_PATH = '/v2/bridges/{id}/events/retry';

/** Requests of Minka. */
export const MINKA: Record<string, Entry> = {
  [MINKA_PATH]: entry(
    10,
    fc.tuple(
      place,
      fc.boolean(),
      optional(fc.constantFrom(0, 1, 60, 2_880, 9_007_199_254_740_991)),
      fc.option(place, { nil: undefined, freq: 1 }),
      fc.boolean(),
    ),
    ([n, byLuid, maxAge, delivery, momentless], { endpoints, deliveries, signer, tenant }) => {
      const endpoint = nth(endpoints, n);
      const own = deliveries.filter(({ endpointId }) => endpointId === endpoint.id);
      const handle = delivery === undefined || own.length === 0 ? undefined : nth(own, delivery).id;
      const data = present({ maxAge, handle });
      const custom = momentless ? { note: '☃' } : { moment: new Date().toISOString(), nonce: randomUUID() };
      return {
        path: filled(MINKA_PATH, { id: byLuid ? endpoint.luid : endpoint.handle }),
        body: signed(signer, data, custom),
        headers: { 'x-ledger': tenant.handle },
        credential: 'signature',
      };
    },
  ),
};
