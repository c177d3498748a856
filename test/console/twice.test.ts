import { expect, test } from '@jest/globals';
import { mayArriveTwice } from '../../console/src/screens/delivery/twice.ts';

const arrived = { mayHaveArrived: true };
const failed = { mayHaveArrived: false };

test('a delivery may arrive twice where any execution of it may have arrived, or one that is not shown', () => {
  expect(mayArriveTwice({ executions: [arrived, failed], moreExecutions: false })).toBe(true);
  expect(mayArriveTwice({ executions: [failed, arrived], moreExecutions: false })).toBe(true);
  expect(mayArriveTwice({ executions: [failed, failed], moreExecutions: true })).toBe(true);
  expect(mayArriveTwice({ executions: [failed, failed], moreExecutions: false })).toBe(false);
  expect(mayArriveTwice({ executions: [], moreExecutions: false })).toBe(false);
});
