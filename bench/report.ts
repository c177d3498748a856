import { flat, median, shown } from './figures.ts';
import { judge } from './goals.ts';
import type { Sample } from './scenario.ts';

/** The measurements as Markdown: the goals first, then every figure of every case; median and range of the rounds. */
export function report(samples: readonly Sample[]): string {
  const judged = judge(samples).map(({ measure, goal, values, median: reached, met }) => [
    measure,
    shown(reached),
    spread(values),
    goal,
    goal === '' ? '' : met ? 'yes' : '**no**',
  ]);
  return [
    ...(judged.length > 0 ? [table(['Measure', 'Median', 'Range', 'Goal', 'Met'], judged)] : []),
    ...SECTIONS.flatMap(([title, figures]) => section(samples, title, figures)),
  ].join('\n\n');
}

/** One line on what was just measured. */
export function line({ name, round, figures }: Sample): string {
  const all = Object.entries(flat(figures)).map(([figure, value]) => `${figure} ${shown(value)}`);
  return `${name}, round ${round}: ${all.join(', ')}`;
}

/** Figures by their names, or by the beginning of their names; a case stands in a section that has figures of it. */
const SECTIONS: [title: string, figures: RegExp][] = [
  ['Rates (a second)', /^(perSecond|deliveredPerSecond|plannedPerSecond)$/],
  ['Times (seconds)', /^(seconds|selectSeconds)$/],
  ['Time to finish (seconds)', /^(minSeconds|maxSeconds|sentSeconds|outsideSeconds)$/],
  ['Latencies (milliseconds)', /^(wireMs|deliveredMs|acceptedMs|answerMs)\./],
  ['Console', /^(paintMs\.|cpuShare$|commits\.|taskMs\.|rowsInDocument$|cpuMsPerPage$|heapMiB$)/],
  ['CPU (microseconds a delivery)', /^cpuUs\./],
  ['Peak memory (MiB)', /^(peakMiB\.|workerPeakMiB$)/],
  ['Ledger (bytes a line)', /^bytesPerLine$/],
  ['Temporal', /^(historyEvents|historyEventsPerThousand|actionsPerThousand)$/],
  ['Counts', /^(counted|exact)$/],
  ['Workers', /^(kills|added|claimedAtKills|twice|takenByWorker\..*)$/],
  ['Sockets of the worker', /^(peakSockets|hung)$/],
];

/** The medians of each case, with their range where there are several rounds. */
function section(samples: readonly Sample[], title: string, wanted: RegExp): string[] {
  const cases = new Map<string, Record<string, number>[]>();
  for (const { name, figures } of samples) {
    const fitting = Object.entries(flat(figures)).filter(([figure]) => wanted.test(figure));
    if (fitting.length > 0) cases.set(name, [...(cases.get(name) ?? []), Object.fromEntries(fitting)]);
  }
  if (cases.size === 0) return [];
  const columns = [...new Set([...cases.values()].flat().flatMap((figures) => Object.keys(figures)))];
  const rows = [...cases].map(([name, rounds]) => [
    name,
    ...columns.map((column) => {
      const values = rounds.map((figures) => figures[column] ?? Number.NaN).filter(Number.isFinite);
      if (values.length === 0) return '';
      return values.length < 2 ? shown(median(values)) : `${shown(median(values))} (${spread(values)})`;
    }),
  ]);
  return [table([title, ...columns], rows)];
}

function spread(values: readonly number[]): string {
  return values.length < 2 ? '' : `${shown(Math.min(...values))}–${shown(Math.max(...values))}`;
}

/** Columns as wide as their widest cell: read in a terminal as well as in a page. */
function table(head: string[], rows: string[][]): string {
  const widths = head.map((title, n) => Math.max(title.length, 3, ...rows.map((row) => row[n]?.length ?? 0)));
  const row = (cells: string[]) => `| ${cells.map((cell, n) => cell.padEnd(widths[n] ?? 0)).join(' | ')} |`;
  return [row(head), row(widths.map((width) => '-'.repeat(width))), ...rows.map(row)].join('\n');
}
