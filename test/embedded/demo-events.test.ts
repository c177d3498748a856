import { expect, test } from '@jest/globals';
import { matchesType } from '../../src/domain/endpoints/event-type.ts';
import { DEMO_ENDPOINTS, DEMO_HANDLES } from '../../src/embedded/demo/demo-endpoints.ts';
import { demoEvents, inCalls, readExamples } from '../../src/embedded/demo/demo-events.ts';

test('an event is typed by its name and action, and is about its repository', () => {
  const definitions = [
    { name: 'issues', examples: [{ action: 'opened', repository: { full_name: 'octo/repo' } }] },
    { name: 'push', examples: [{ repository: null }] },
  ];
  expect(demoEvents(definitions, ['first'])).toEqual([
    {
      id: 'first/issues/0',
      type: 'issues.opened',
      source: 'github.com',
      key: 'octo/repo',
      ingestionBatchId: 'first',
      payload: definitions[0]?.examples[0],
    },
    {
      id: 'first/push/0',
      type: 'push',
      source: 'github.com',
      ingestionBatchId: 'first',
      payload: definitions[1]?.examples[0],
    },
  ]);
});

test('each batch has every example, with ids of its own', async () => {
  const examples = await readExamples();
  const once = demoEvents(examples, ['a']);
  const twice = demoEvents(examples, ['a', 'b']);
  expect(once.length).toBeGreaterThan(300);
  expect(twice).toHaveLength(2 * once.length);
  expect(new Set(twice.map(({ id }) => id)).size).toBe(twice.length);
});

test('every type that an endpoint of the demo asks for is among the examples', async () => {
  const types = demoEvents(await readExamples(), ['a']).map(({ type }) => type);
  for (const handle of DEMO_HANDLES)
    for (const pattern of DEMO_ENDPOINTS[handle].eventTypes ?? [])
      expect({ pattern, found: types.some((type) => matchesType([pattern], type)) }).toEqual({
        pattern,
        found: true,
      });
});

test('calls hold so many at most, and all of them in their order', () => {
  expect(inCalls([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]]);
  expect(inCalls([], 2)).toEqual([]);
});
