import { expect, test } from '@jest/globals';
import { mayTakeItsPlace } from '../../../src/domain/policy/whole.ts';

test.each([
  ['one that was read and is still there', { read: 'a', now: 'a', next: 'b' }, true],
  ['one that nobody has read', { read: undefined, now: 'a', next: 'b' }, true],
  ['itself, by whoever sends it again', { read: 'a', now: 'b', next: 'b' }, true],
  ['another than was read', { read: 'a', now: 'c', next: 'b' }, false],
])('a whole takes the place of %s: %j, %s', (_, digests, may) => {
  expect(mayTakeItsPlace(digests)).toBe(may);
});
