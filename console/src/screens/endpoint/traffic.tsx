import { useQuery } from '@tanstack/react-query';
import { attemptStatsQuery } from '../../api/queries.ts';
import { percent, whole } from '../../format/numbers.ts';
import { TimeChart } from '../../ui/charts/time-chart.tsx';
import { Section } from '../../ui/page.tsx';
import { outcomeLines } from '../now/outcome-lines.ts';
import { useRange } from '../now/use-range.ts';

/** The attempts at an endpoint over the last day. */
export function Traffic({ endpointId }: { endpointId: string }) {
  const range = useRange();
  const { data } = useQuery({
    ...attemptStatsQuery(range, 'outcome', [endpointId]),
    refetchInterval: 60_000,
  });
  if (!data) return null;
  const delivered = data.series.find(({ outcome }) => outcome === 'delivered')?.total ?? 0;
  return (
    <Section
      title="Attempts, 24 hours"
      aside={
        data.total === 0
          ? undefined
          : `${whole(data.total)}, of which ${percent(data.total - delivered, data.total)} did not deliver`
      }
    >
      <TimeChart label="Attempts at the endpoint" low times={data.buckets} lines={outcomeLines(data)} />
    </Section>
  );
}
