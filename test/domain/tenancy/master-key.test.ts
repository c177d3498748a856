import { expect, test } from '@jest/globals';
import { judgeMasterKeys } from '../../../src/domain/tenancy/master-key.ts';

const [OLD, NEW, THIRD] = ['old', 'new', 'third'];

test.each([
  ['at the first start', { present: OLD }, { sealedUnder: OLD }, 'admitted'],
  ['with a wrong key', { present: NEW }, { sealedUnder: OLD }, 'unknown_key'],
  ['that knows the next key', { present: OLD, other: NEW }, { sealedUnder: OLD }, 'admitted'],
  ['that has the next key', { present: NEW, other: OLD }, { sealedUnder: OLD }, 'rotates'],
  ['that joins it', { present: NEW, other: OLD }, { sealedUnder: OLD, rotatingTo: NEW }, 'rotates'],
  [
    'that still seals by the key before',
    { present: OLD, other: NEW },
    { sealedUnder: OLD, rotatingTo: NEW },
    'admitted',
  ],
  [
    'that has forgotten the next key',
    { present: OLD },
    { sealedUnder: OLD, rotatingTo: NEW },
    'rotation_unfinished',
  ],
  [
    'that drops the key before too early',
    { present: NEW },
    { sealedUnder: OLD, rotatingTo: NEW },
    'unknown_key',
  ],
  [
    'that leads to a third key',
    { present: THIRD, other: OLD },
    { sealedUnder: OLD, rotatingTo: NEW },
    'rotation_unfinished',
  ],
  ['after it, with both', { present: NEW, other: OLD }, { sealedUnder: NEW, rotatingTo: NEW }, 'admitted'],
  ['after it, with the new one', { present: NEW }, { sealedUnder: NEW, rotatingTo: NEW }, 'admitted'],
  ['after it, with the old one', { present: OLD }, { sealedUnder: NEW, rotatingTo: NEW }, 'unknown_key'],
  [
    'that knows the key of the next rotation',
    { present: NEW, other: THIRD },
    { sealedUnder: NEW, rotatingTo: NEW },
    'admitted',
  ],
  [
    'that begins the next rotation',
    { present: THIRD, other: NEW },
    { sealedUnder: NEW, rotatingTo: NEW },
    'rotates',
  ],
] as const)('a process %s', (_title, known, database, verdict) => {
  expect(judgeMasterKeys(known, database)).toBe(verdict);
});
