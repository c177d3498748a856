import { expect, test } from '@jest/globals';
import { present } from '../../src/domain/present.ts';

test('null and undefined become absent members, and nothing else does', () => {
  const members = present({
    a: null,
    b: undefined,
    c: 0,
    d: '',
    e: false,
    f: [] as string[],
    g: { h: null },
  });
  expect(Object.entries(members)).toEqual([
    ['c', 0],
    ['d', ''],
    ['e', false],
    ['f', []],
    ['g', { h: null }],
  ]);
});

test('a member that may be null becomes one that may be absent, in its type as well', () => {
  const row = { name: 'a', at: null } as { name: string; at: Date | null };
  const members: { name: string; at?: Date } = present(row);
  expect(members).toStrictEqual({ name: 'a' });
});
