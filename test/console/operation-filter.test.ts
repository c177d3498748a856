import { expect, test } from '@jest/globals';
import {
  operationFilterIn,
  operationFilterName,
} from '../../console/src/screens/operations/operation-filter.ts';

/** The filter of the list of operations, as a URL has it: what is no value is named, and widens nothing. */

test.each([
  ['state', 'running', 'lost'],
  ['kind', 'replay', 'resend'],
  ['from', '2026-11-03T02:00:00Z', 'yesterday'],
  ['to', '2026-11-03T02:00:00Z', '5 o’clock'],
])('%s may be %s and not %s', (member, some, none) => {
  expect(operationFilterIn({ [member]: some }).noValues).toEqual([]);
  const { filter, noValues } = operationFilterIn({ [member]: none });
  expect(noValues).toMatchObject([
    { member, value: none, why: expect.stringContaining(`“${none}” is no such value: it has to be `) },
  ]);
  expect(filter).not.toEqual({});
  expect(operationFilterName(member)).not.toBe(member);
});

test('a value that is none is found among those that are some', () => {
  expect(operationFilterIn({ state: ['running', 'lost'], kind: ['retry', 'x'] }).noValues).toMatchObject([
    { member: 'state', value: 'lost' },
    { member: 'kind', value: 'x' },
  ]);
});

test('of two kinds the list has both, and what the API alone knows is left to it', () => {
  expect(
    operationFilterIn({ kind: ['retry', 'replay'], endpointIds: 'shop', actor: 'alice', text: 'x' }),
  ).toEqual({ filter: { endpointIds: ['shop'], actor: ['alice'], text: 'x' }, noValues: [] });
});
