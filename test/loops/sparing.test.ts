import { expect, test } from '@jest/globals';
import { sparing } from '../../src/loops/sparing.ts';
import { eventually } from '../support/eventually.ts';

test('a call alone does its work at once, and no more', async () => {
  let done = 0;
  const call = sparing(0, () => {
    done += 1;
  });
  call();
  expect(done).toBe(1);
  // Behind the end of its rest, on the same clock.
  await new Promise((resolve) => setTimeout(resolve, 1));
  expect(done).toBe(1);
});

test('calls that come close together are one more, at the end, and none is forgotten', async () => {
  let done = 0;
  const call = sparing(20, () => {
    done += 1;
  });
  for (let n = 0; n < 5; n++) call();
  expect(done).toBe(1);
  await eventually('the others are done together', () => done === 2);
  // It rests again after that one.
  call();
  expect(done).toBe(2);
  await eventually('so is the last', () => done === 3);
});
