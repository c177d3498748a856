import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from '@jest/globals';
import ts from 'typescript';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

const IMPORTS = `
import { type Pool, withTransaction } from '../../../src/store/db/pool.ts';
import type { Queryable } from '../../../src/store/db/queryable.ts';
import { refoldDeliveries } from '../../../src/store/settling/folding.ts';
import { type Id, readId, showId } from '../../../src/domain/tenancy/typed-id.ts';
import { findDelivery } from '../../../src/store/reading/delivery-reads.ts';
declare const pool: Pool;
declare const db: Queryable;
declare const tenantId: Id<'tenant'>;
declare const eventId: Id<'event'>;
`;

/** Snippets by name, with the code of the error that each must have; those without one must compile. */
const SNIPPETS: Record<string, { source: string; error?: { code: number; about: string } }> = {
  'rows that are read by their type': {
    source: `
      interface CountRow { count: number }
      const { rows } = await db.query<CountRow>('select count(*)::int as count from events');
      export const doubled: number[] = rows.map((row) => row.count * 2);`,
  },
  'rows that are read without a type': {
    source: `
      const { rows } = await db.query('select id from events');
      export const ids = rows.map((row) => row.id);`,
    error: { code: 2339, about: "Property 'id' does not exist on type 'object'" },
  },
  'a column that the type of the rows has not': {
    source: `
      interface CountRow { count: number }
      const { rows } = await pool.query<CountRow>('select count(*)::int as count from events');
      export const states = rows.map((row) => row.state);`,
    error: { code: 2339, about: "Property 'state' does not exist on type 'CountRow'" },
  },
  'the first row taken for granted': {
    source: `
      const { rows } = await pool.query<{ count: number }>('select count(*)::int as count from events');
      export const { count } = rows[0];`,
    error: { code: 2339, about: "Property 'count' does not exist" },
  },
  'a call that needs a transaction, in one': {
    source: `
      export const done = withTransaction(pool, (tx) => refoldDeliveries(tx, []));`,
  },
  'a call that needs a transaction, on the pool': {
    source: `
      export const done = refoldDeliveries(pool, []);`,
    error: { code: 2345, about: "not assignable to parameter of type 'Transaction'" },
  },
  'a call that needs a transaction, on a queryable that may be none': {
    source: `
      export const done = refoldDeliveries(db, []);`,
    error: { code: 2345, about: "not assignable to parameter of type 'Transaction'" },
  },
  'an id of the kind that is asked for': {
    source: `
      const id = readId('delivery', 'dlv_…');
      export const found = id && findDelivery(db, tenantId, id);
      export const shown = showId('event', eventId);`,
  },
  'an id of another kind': {
    source: `
      export const found = findDelivery(db, tenantId, eventId);`,
    error: { code: 2345, about: `parameter of type 'Id<"delivery">'` },
  },
  'an id that is shown as one of another kind': {
    source: `
      export const shown = showId('delivery', eventId);`,
    error: { code: 2345, about: `parameter of type 'Id<"delivery">'` },
  },
  'a text that nobody has read as an id': {
    source: `
      export const found = findDelivery(db, tenantId, '0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9f');`,
    error: { code: 2345, about: `parameter of type 'Id<"delivery">'` },
  },
};

let errors: Map<string, { code: number; text: string }[]>;

beforeAll(() => {
  errors = errorsOf(
    new Map(Object.entries(SNIPPETS).map(([name, { source }]) => [name, `${IMPORTS}${source}\n`])),
  );
});

describe('the compiler', () => {
  test.each(Object.entries(SNIPPETS))('judges %s', (name, { error }) => {
    // A declaration that a snippet leaves unused is no matter here.
    const found = (errors.get(name) ?? []).filter(({ code }) => code !== 6133);
    if (error === undefined) {
      expect(found).toEqual([]);
      return;
    }
    expect(found.map(({ code }) => code)).toEqual([error.code]);
    expect(found[0]?.text).toContain(error.about);
  });
});

/** The errors of the compiler, by the rules of the repository, for sources as if they stood in this folder. */
function errorsOf(sources: Map<string, string>): Map<string, { code: number; text: string }[]> {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, ROOT);
  const names = new Map(
    [...sources.keys()].map((name, n) => [join(ROOT, 'test/store/db', `snippet-${n}.ts`), name]),
  );
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  const sourceAt = (path: string) => sources.get(names.get(path) ?? '');
  host.fileExists = (path) => names.has(path) || fileExists(path);
  host.readFile = (path) => sourceAt(path) ?? readFile(path);
  host.getSourceFile = (path, languageVersion, ...rest) => {
    const source = sourceAt(path);
    return source === undefined
      ? getSourceFile(path, languageVersion, ...rest)
      : ts.createSourceFile(path, source, languageVersion);
  };
  const program = ts.createProgram([...names.keys()], options, host);
  return new Map(
    [...names].map(([path, name]) => {
      const diagnostics = ts.getPreEmitDiagnostics(program, program.getSourceFile(path));
      return [
        name,
        diagnostics.map(({ code, messageText }) => ({
          code,
          text: ts.flattenDiagnosticMessageText(messageText, '\n'),
        })),
      ];
    }),
  );
}
