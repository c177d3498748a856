import { expect, test } from '@jest/globals';
import { createTurns, turnsOf } from '../../../src/api/limits/turns.ts';
import { eventually } from '../../support/eventually.ts';

/** Work that goes on until it is let go. */
function piece() {
  let begun = false;
  let end = () => {};
  const work = () =>
    new Promise<void>((resolve) => {
      begun = true;
      end = resolve;
    });
  return { work, begun: () => begun, end: () => end() };
}

test('work of one key goes on one at a time, and leaves the other turns to others', async () => {
  const inTurnOf = turnsOf(createTurns(2));
  const [first, second, third, other] = [piece(), piece(), piece(), piece()];
  const all = [
    inTurnOf('a')(first.work),
    inTurnOf('a')(second.work),
    inTurnOf('a')(third.work),
    inTurnOf('b')(other.work),
  ];
  await eventually('the other one has begun', () => other.begun());
  expect([first, second, third].map(({ begun }) => begun())).toEqual([true, false, false]);
  first.end();
  await eventually('the second one has begun', () => second.begun());
  expect(third.begun()).toBe(false);
  second.end();
  await eventually('the third one has begun', () => third.begun());
  third.end();
  other.end();
  await Promise.all(all);
  await inTurnOf('a')(() => Promise.resolve());
});

test('work that fails lets the next one of its key begin', async () => {
  const inTurnOf = turnsOf(createTurns(1));
  await expect(inTurnOf('a')(() => Promise.reject(new Error('lost')))).rejects.toThrow('lost');
  expect(await inTurnOf('a')(() => Promise.resolve(7))).toBe(7);
});
