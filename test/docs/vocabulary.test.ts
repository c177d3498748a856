import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { AUDIT_ACTIONS } from '../../src/domain/audit/audit-action.ts';
import { EXCLUSION_REASONS } from '../../src/domain/operations/selection.ts';
import { WAIT_REASONS } from '../../src/domain/sending/waiting-for.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { SEARCH_ATTRIBUTES } from '../../src/temporal/search-attributes.ts';

test('docs/concepts.md explains every reason of an exclusion, and no other', async () => {
  const tables = (await section('docs/concepts.md', '## The fate of a retry')).split('\n');
  const named = tables
    .filter((line) => line.startsWith('|'))
    .flatMap((line) => {
      const cells = line.split('|').slice(1, -1);
      // One table has the reason in the column behind its cause, the other in the column before its meaning.
      return [...(cells.at(cells.length === 2 ? 0 : -1) ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name);
    });
  expect([...new Set(named)].sort()).toEqual([...EXCLUSION_REASONS].sort());
});

test('docs/concepts.md explains everything that can hold a delivery back, and nothing else', async () => {
  const text = await section('docs/concepts.md', '## Reasons for waiting');
  const named = text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name))
    .filter((name) => name !== 'what');
  expect(named.sort()).toEqual([...WAIT_REASONS].sort());
});

test('docs/operations.md names every search attribute', async () => {
  const text = await readFile('docs/operations.md', 'utf8');
  expect(SEARCH_ATTRIBUTES.filter((name) => !text.includes(`\`${name}`))).toEqual([]);
});

test('docs/metrics.md has a row for every metric of ours, with its type, and for no other', async () => {
  const text = await readFile('docs/metrics.md', 'utf8');
  const rows = [...text.matchAll(/^\| `(redrive_\w+)[^|]*\| (\w+) \|/gm)].map(([, name, type]) => [
    name,
    type,
  ]);
  const metrics = (await createMetrics().registry.getMetricsAsJSON()).map(({ name, type }) => [name, type]);
  const own = metrics.filter(([name]) => String(name).startsWith('redrive_'));
  expect(own.length).toBeGreaterThan(20);
  expect(rows.sort()).toEqual(own.sort());
});

test('docs/audit.md names every action, and no other', async () => {
  const text = await readFile('docs/audit.md', 'utf8');
  const named = text
    .split('\n')
    .filter((line) => /^\| `[a-z_]+\./.test(line))
    .flatMap((line) => {
      let family = '';
      return [...(line.split('|')[1] ?? '').matchAll(/`([a-z_]*)\.([a-z_]+|…)`/g)].flatMap(([, of, did]) => {
        family = of || family;
        return did === '…'
          ? Object.keys(AUDIT_ACTIONS).filter((each) => each.startsWith(`${family}.`))
          : `${family}.${did}`;
      });
    });
  expect(named.sort()).toEqual(Object.keys(AUDIT_ACTIONS).sort());
});

/** What the runbooks name with a dot and is no event: members of answers, columns of Postgres, values of the chart. */
const NO_EVENTS = ['halt.reason', 'pg_stat_replication.sync_state', 'worker.replicas'];

test('every event of the log that a runbook names is one that is written', async () => {
  const sources = await sourcesOf('src');
  // Whole, or put together of two halves, one of which stands in a template.
  const isWritten = (name: string) =>
    sources.includes(`'${name}'`) ||
    [...name.matchAll(/\./g)].some(({ index }) => {
      const [head, tail] = [name.slice(0, index), name.slice(index + 1)];
      return (
        (sources.includes(`\`${head}.\${`) && sources.includes(`'${tail}'`)) ||
        (sources.includes(`}.${tail}\``) && sources.includes(`'${head}'`))
      );
    });
  const named = new Set<string>();
  for (const page of await readdir('docs/runbooks')) {
    const text = await readFile(join('docs/runbooks', page), 'utf8');
    for (const [, name = ''] of text.matchAll(/`(?:event: ")?([a-z_]+(?:\.[a-z_]+)+)"?`/g)) named.add(name);
  }
  const events = [...named].filter((name) => !NO_EVENTS.includes(name));
  expect(events.length).toBeGreaterThan(10);
  expect(events.filter((name) => !isWritten(name))).toEqual([]);
});

/** The text of all sources below a folder. */
async function sourcesOf(folder: string): Promise<string> {
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.ts'));
  return (await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')))).join('\n');
}

/** A document from one of its headings to the next of the same rank. */
async function section(file: string, heading: string): Promise<string> {
  const [, rest] = (await readFile(file, 'utf8')).split(`${heading}\n`);
  if (rest === undefined) throw new Error(`${file} has no heading "${heading}"`);
  return rest.split('\n## ')[0] ?? '';
}
