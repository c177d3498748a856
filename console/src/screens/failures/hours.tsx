import { useQuery } from '@tanstack/react-query';
import type { DeliveryQuery } from '../../api/delivery-query.ts';
import { failureGroupsQuery } from '../../api/queries.ts';
import { type Bucket, Histogram } from '../../ui/charts/histogram.tsx';
import { Section } from '../../ui/page.tsx';

const HOUR_MS = 3_600_000;
const MOST_HOURS = 24 * 31;

/** When the deliveries that match were accepted, by the hour. */
export function Hours({
  query,
  onRange,
}: {
  query: DeliveryQuery;
  onRange: (from: string, to: string) => void;
}) {
  const { data } = useQuery(failureGroupsQuery(query, ['hour']));
  const counts = new Map(
    data?.groups.flatMap(({ hour, count }) => (hour ? [[Date.parse(hour), count] as const] : [])),
  );
  return (
    <Section title="By the hour of acceptance" aside="drag over the hours to choose a time">
      <Histogram label="Failures by the hour" buckets={bucketsOf(counts)} onRange={onRange} />
    </Section>
  );
}

/** Each hour between the first and the last, also where nothing failed. */
function bucketsOf(counts: ReadonlyMap<number, number>): Bucket[] {
  const hours = [...counts.keys()].sort((one, other) => one - other);
  const last = hours.at(-1) ?? Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
  const first = Math.max(Math.min(hours[0] ?? last, last - 23 * HOUR_MS), last - (MOST_HOURS - 1) * HOUR_MS);
  return Array.from({ length: (last - first) / HOUR_MS + 1 }, (_, n) => {
    const from = first + n * HOUR_MS;
    return {
      from: new Date(from).toISOString(),
      to: new Date(from + HOUR_MS).toISOString(),
      count: counts.get(from) ?? 0,
    };
  });
}
