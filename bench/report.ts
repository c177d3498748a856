import { type Figures, flat, median, shown } from './figures.ts';
import { judge } from './goals.ts';
import type { Sample } from './scenario.ts';

/** What was measured, as Markdown: the goals first, then every figure of every case; median and range of the rounds. */
export function report(samples: readonly Sample[]): string {
  const judged = judge(samples).map(({ measure, goal, values, median: reached, met }) => [
    measure,
    shown(reached),
    spread(values),
    goal,
    goal === '' ? '' : met ? 'yes' : '**no**',
  ]);
  const names = [...new Set(samples.map(({ name }) => name))];
  const cases = names.map((name) => {
    const of = samples.filter((sample) => sample.name === name).map(({ figures }) => flat(figures));
    const rest = Object.keys(of[0] ?? {}).filter((figure) => !HEADLINES.includes(figure));
    const headline = HEADLINES.find((figure) => of[0]?.[figure] !== undefined);
    const values = (figure: string) => of.map((figures) => figures[figure] ?? Number.NaN);
    return [
      name,
      String(of.length),
      ...(headline
        ? [`${shown(median(values(headline)))} ${UNITS[headline]}`, spread(values(headline))]
        : ['', '']),
      rest.map((figure) => `${figure} ${shown(median(values(figure)))}`).join(', '),
    ];
  });
  return [
    ...(judged.length > 0 ? [table(['Measure', 'Median', 'Range', 'Goal', 'Met'], judged)] : []),
    table(['Case', 'Rounds', 'Median', 'Range', 'Other figures (medians)'], cases),
  ].join('\n\n');
}

/** One line on what was just measured. */
export function line({ name, round, figures }: Sample): string {
  const all = Object.entries(flat(figures)).map(([figure, value]) => `${figure} ${shown(value)}`);
  return `${name}, round ${round}: ${all.join(', ')}`;
}

/** The figures that cases are compared by. */
const UNITS: Figures | Record<string, string> = { perSecond: '/s', seconds: 's' };
const HEADLINES = Object.keys(UNITS);

function spread(values: readonly number[]): string {
  return values.length < 2 ? '' : `${shown(Math.min(...values))}–${shown(Math.max(...values))}`;
}

/** Columns as wide as their widest cell: read in a terminal as well as in a page. */
function table(head: string[], rows: string[][]): string {
  const widths = head.map((title, n) => Math.max(title.length, 3, ...rows.map((row) => row[n]?.length ?? 0)));
  const row = (cells: string[]) => `| ${cells.map((cell, n) => cell.padEnd(widths[n] ?? 0)).join(' | ')} |`;
  return [row(head), row(widths.map((width) => '-'.repeat(width))), ...rows.map(row)].join('\n');
}
