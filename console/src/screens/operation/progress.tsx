import { useQuery } from '@tanstack/react-query';
import type { Schema } from '../../api/client.ts';
import { hasEnded } from '../../api/newer.ts';
import { samplesQuery } from '../../api/queries.ts';
import type { Part } from '../../ui/charts/equation.tsx';
import { TimeChart } from '../../ui/charts/time-chart.tsx';
import { Section } from '../../ui/page.tsx';
import type { Operation } from './operation-screen.tsx';

type Sample = Schema<'OperationSamples'>['points'][number];

/** How fast it went, and how much of that was bad. */
export function Progress({ operation: { id, state } }: { operation: Operation }) {
  const { data } = useQuery({ ...samplesQuery(id), refetchInterval: hasEnded(state) ? false : 5_000 });
  const samples = data?.points ?? [];
  // One step alone has no course.
  if (samples.length < 3) return null;
  const { times, delivered, bad } = ratesOf(samples);
  return (
    <Section title="Over time" aside="deliveries a second">
      <TimeChart
        label="Deliveries a second"
        low
        times={times}
        lines={[
          { name: 'Delivered', tone: 'good', values: delivered },
          { name: 'Failed or unknown', tone: 'bad', values: bad, dashed: true },
        ]}
      />
    </Section>
  );
}

/** What changed between each two samples, a second. */
export function ratesOf(samples: readonly Sample[]): { times: string[]; delivered: number[]; bad: number[] } {
  const times: string[] = [];
  const delivered: number[] = [];
  const bad: number[] = [];
  samples.forEach(({ at, counts }, n) => {
    const before = samples[n - 1];
    if (!before) return;
    const seconds = Math.max(0.001, (Date.parse(at) - Date.parse(before.at)) / 1_000);
    const gained = (...parts: Part[]) =>
      Math.max(
        0,
        Math.round(
          (10 * parts.reduce((sum, part) => sum + counts[part] - before.counts[part], 0)) / seconds,
        ) / 10,
      );
    times.push(at);
    delivered.push(gained('delivered'));
    bad.push(gained('failed', 'unknown'));
  });
  return { times, delivered, bad };
}
