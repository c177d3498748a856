import { expect, test } from '@jest/globals';
import { validityOf } from '../../console/src/format/validity.ts';

const CERTIFICATE = { validFrom: '2026-01-01T00:00:00.000Z', validUntil: '2027-01-01T00:00:00.000Z' };

test.each([
  ['2025-12-31T23:59:59.999Z', 'not_yet'],
  ['2026-01-01T00:00:00.000Z', 'valid'],
  ['2026-12-02T00:00:00.000Z', 'valid'],
  ['2026-12-02T00:00:00.001Z', 'runs_out_soon'],
  ['2026-12-31T23:59:59.999Z', 'runs_out_soon'],
  ['2027-01-01T00:00:00.000Z', 'ran_out'],
])('at %s a certificate of 2026 is %s', (now, validity) => {
  expect(validityOf(CERTIFICATE, new Date(now))).toBe(validity);
});
