import type { Schema } from '../../api/client.ts';
import type { Line } from '../../ui/charts/time-chart.tsx';

/** Attempts that delivered, that did not, and of which nobody knows, as lines of a chart. */
export function outcomeLines({
  series,
  others,
  buckets,
}: Pick<Schema<'AttemptStats'>, 'series' | 'others' | 'buckets'>): Line[] {
  const sum = (takes: (outcome: string | undefined) => boolean, more?: readonly number[]) =>
    buckets.map(
      (_, at) =>
        series.reduce(
          (total, { outcome, counts }) => (takes(outcome) ? total + (counts[at] ?? 0) : total),
          0,
        ) + (more?.[at] ?? 0),
    );
  return [
    { name: 'Delivered', tone: 'good', values: sum((outcome) => outcome === 'delivered') },
    {
      name: 'Not delivered',
      tone: 'bad',
      values: sum((outcome) => outcome !== 'delivered' && outcome !== 'ambiguous', others.counts),
      dashed: true,
    },
    { name: 'Nobody knows', tone: 'care', values: sum((outcome) => outcome === 'ambiguous'), dashed: true },
  ];
}
