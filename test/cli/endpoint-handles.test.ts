import { expect, test } from '@jest/globals';
import { useApiWorld } from '../support/api/use-api.ts';
import { useCli } from '../support/cli/use-cli.ts';

/** Tables show endpoints by the handles that people gave them; data have their ids. */

const world = useApiWorld();
const cli = useCli();

const CALLS: [string, () => string[]][] = [
  ['failures', () => []],
  ['deliveries list', () => []],
  ['outages list', () => []],
  ['retry items', () => [world.ours.operationId]],
  ['status', () => []],
];

test.each(CALLS)('%s names endpoints', async (path, args) => {
  const mine = { url: world.api.url, key: world.ours.key };
  const endpoints = await world.api.call('GET', '/api/v1/endpoints', { key: mine.key });
  const known: { id: string; handle: string }[] = endpoints.body.items;
  const words = [...path.split(' '), ...args()];
  const named = (text: string, member: 'id' | 'handle') =>
    known.some((each) => text.split(/[\s"]+/).includes(each[member]));

  const table = await cli.run(mine, words);
  expect(table).toMatchObject({ code: 0 });
  expect([named(table.stdout, 'handle'), named(table.stdout, 'id')]).toEqual([true, false]);

  const data = await cli.run(mine, [...words, '-o', 'json']);
  expect(named(data.stdout, 'id')).toBe(true);

  const blind = await cli.run({ ...mine, key: await keyWith(['read:deliveries']) }, words);
  expect(blind).toMatchObject({ code: 0 });
  expect(named(blind.stdout, 'id')).toBe(true);
});

async function keyWith(scopes: readonly string[]): Promise<string> {
  const body = { name: `key-${Math.random()}`, scopes };
  return (await world.api.call('POST', '/api/v1/keys', { key: world.ours.key, body })).body.key;
}
