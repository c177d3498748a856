import { expect, test } from '@jest/globals';
import { timelineOf } from '../../../src/surfaces/flowrelay/receipt-timeline.ts';
import type { Receipt } from '../../../src/surfaces/flowrelay/store/receipts.ts';
import { anyId } from '../../support/store/any-id.ts';

const RECEIPT: Receipt = {
  request: 'accepted',
  id: anyId('event'),
  at: new Date(0),
  atMicros: '0',
  eventType: 'a',
  identified: false,
  suppressed: false,
  retention: 'retained',
  handoffs: [],
};

test.each([
  ['delivered', 200, 'accepted_by_endpoint'],
  ['permanent', 422, 'refused_by_endpoint'],
  ['permanent', 302, 'refused_by_endpoint'],
  ['retryable', 429, 'refused_by_endpoint'],
  ['retryable', 503, 'failed_at_endpoint'],
  // As an import tells of one.
  ['ambiguous', 500, 'failed_at_endpoint'],
  ['ambiguous', 404, 'refused_by_endpoint'],
  // Taken, and the acknowledgement is awaited.
  ['ambiguous', 202, 'handoff_uncertain'],
  ['ambiguous', undefined, 'handoff_uncertain'],
  ['unsent', undefined, 'handoff_not_sent'],
  ['retryable', undefined, 'handoff_not_sent'],
])('an attempt that is %s with status %s stands in the timeline as %s', (outcome, httpStatus, event) => {
  const step = { what: 'attempted', outcome, ...(httpStatus ? { httpStatus } : {}) } as const;
  const [, shown] = timelineOf(RECEIPT, [{ at: new Date(1), step }]);
  expect(shown).toMatchObject({ event, statusCode: httpStatus ?? null });
});
