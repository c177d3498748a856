import fc from 'fast-check';
import { FILE_FAULT_CODES } from '../../../src/surfaces/stedi/file-fault.ts';
import { uuidIn } from '../api/retries.ts';
import { type Entry, entry, filled, idempotencyKey, NO_UUID, NOBODYS, present, withKey } from './asked.ts';
import { listOf, optional, range, textAmong } from './awkward.ts';
import { nth, place } from './retry-bodies.ts';

/** The routes of Stedi below a prefix: they are served with the version and without. */
export const stedi = (prefix: string): Record<string, Entry> => ({
  [`${prefix}/executions/retry`]: entry(
    6,
    fc.record({
      ids: optional(listOf(fc.oneof(place, fc.constantFrom(NO_UUID, NOBODYS)), 10)),
      direction: fc.option(fc.constantFrom('INBOUND', 'OUTBOUND', 'UNKNOWN'), { nil: undefined, freq: 1 }),
      faultCode: fc.option(fc.constantFrom(...FILE_FAULT_CODES), { nil: undefined, freq: 1 }),
      partnership: fc.option(fc.oneof(place, textAmong('nobody')), { nil: undefined, freq: 1 }),
      status: optional(
        fc.constantFrom('COMPLETED', 'PARTIALLY_COMPLETED', 'FAILED', 'IGNORED', 'IN_PROGRESS'),
      ),
      times: fc.oneof(fc.constant({}), range('from', 'to')),
      key: idempotencyKey,
    }),
    ({ ids, partnership, times, key, ...members }, { executions, endpoints }) => ({
      path: `${prefix}/executions/retry`,
      body: {
        condition: {
          ...present({
            ...members,
            executionIds: ids?.map((each) =>
              typeof each === 'string' ? each : uuidIn('execution', nth(executions, each)),
            ),
            partnershipId: typeof partnership === 'number' ? nth(endpoints, partnership).handle : partnership,
          }),
          ...times,
        },
      },
      credential: 'bare',
      ...withKey(key),
    }),
  ),
  [`${prefix}/events/{eventId}/retry`]: entry(5, fc.tuple(place, idempotencyKey), ([n, key], { events }) => ({
    path: filled(`${prefix}/events/{eventId}/retry`, { eventId: nth(events, n) }),
    credential: 'bare',
    ...withKey(key),
  })),
});
