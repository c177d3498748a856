import { readdir, readFile } from 'node:fs/promises';
import { expect } from '@jest/globals';
import type { TestStore } from './store/test-store.ts';

/** Expects that a function of the schema says of every pair of states what the table of the domain says. */
export async function expectSameTransitions<State extends string>(
  store: Pick<TestStore, 'rows'>,
  mayBecome: string,
  transitions: Readonly<Record<State, readonly State[]>>,
): Promise<void> {
  const states = Object.keys(transitions) as State[];
  const rows = await store.rows(
    `select f, t, ${mayBecome}(f, t) as may from unnest($1::text[]) f cross join unnest($1::text[]) t`,
    [states],
  );
  expect(rows).toHaveLength(states.length ** 2);
  for (const { f, t, may } of rows)
    expect({ f, t, may }).toEqual({ f, t, may: transitions[f as State].includes(t) });
}

/** The files of `src` with a statement that changes the state of what a table has. */
export async function filesThatChangeStatesOf(table: string): Promise<string[]> {
  const root = new URL('../../src/', import.meta.url);
  const files = (await readdir(root, { recursive: true })).filter((name) => name.endsWith('.ts'));
  const update = new RegExp(`update ${table}\\b[^;\`]*?\\bwhere\\b`, 'g');
  const changing: string[] = [];
  for (const name of files) {
    const statements = (await readFile(new URL(name, root), 'utf8')).match(update) ?? [];
    if (statements.some((text) => /\bstate = /.test(text))) changing.push(name);
  }
  return changing;
}
