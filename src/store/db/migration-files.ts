import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';

/** One numbered file of `migrations/`. */
export type Migration = {
  name: string;
  number: string;
  sql: string;
  checksum: string;
  /** The earlier file that a version must know to run on the schema behind this one; any version may where absent. */
  needs?: string;
  /** The function that is called, in a transaction each time, until it says that the file may be applied. */
  behind?: string;
};

/** Where the migrations of this version are; `src/store` and `dist/store` are equally deep. */
const MIGRATIONS = new URL('../../../migrations/', import.meta.url);

/** Reads the numbered files of a folder, those of this version where none is named, in the order of their numbers. */
export async function readMigrations(directory = MIGRATIONS): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => /^\d{4}-.+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      // A checkout with other line ends is not an edit.
      const sql = (await readFile(new URL(name, directory), 'utf8')).replaceAll('\r\n', '\n');
      const [, needs] = /^-- Needs: (\d{4}-\S+\.sql)$/m.exec(sql) ?? [];
      const [, behind] = /^-- Behind: ([a-z_]+)$/m.exec(sql) ?? [];
      return {
        name,
        number: name.slice(0, 4),
        sql,
        checksum: createHash('sha256').update(sql).digest('hex'),
        ...(needs === undefined ? {} : { needs }),
        ...(behind === undefined ? {} : { behind }),
      };
    }),
  );
}

/** Says which file cannot be run as it is written. */
export function filesProblem(migrations: readonly Migration[]): string | undefined {
  const twice = migrations.find((migration, at) => migration.number === migrations[at - 1]?.number);
  if (twice !== undefined)
    return `Two migrations have the number ${twice.number}: give ${twice.name} the next free one.`;
  return migrations
    .map((each) => needProblem(each, migrations) ?? behindProblem(each))
    .find((problem) => problem);
}

/**
 * Says why a line that looks like a need is none. Taken for nothing, it would let every version run on a schema that may
 * lack what that version reads.
 */
function needProblem({ name, sql, needs }: Migration, migrations: readonly Migration[]): string | undefined {
  const lines = sql.match(/^[ \t]*--[ \t]*needs?(?:[ \t]*:|[ \t]+\d{4}).*$/gim) ?? [];
  const earlier = migrations.some((each) => each.name === needs && each.name < name);
  if (lines.length === 0 || (lines.length === 1 && earlier)) return undefined;
  return `The migration ${name} says "${lines.join('" and "').trim()}": write one line \`-- Needs: 00NN-<subject>.sql\` that names a file before it.`;
}

/** Says why a line that looks as if something had to be copied first names no function: nothing would be copied. */
function behindProblem({ name, sql, behind }: Migration): string | undefined {
  const lines = sql.match(/^[ \t]*--[ \t]*behind[ \t]*:.*$/gim) ?? [];
  if (lines.length === (behind === undefined ? 0 : 1)) return undefined;
  return `The migration ${name} says "${lines.join('" and "').trim()}": write one line \`-- Behind: <function>\`.`;
}
