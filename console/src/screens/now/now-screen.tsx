import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { attemptStatsQuery, eventStatsQuery } from '../../api/queries.ts';
import { whole } from '../../format/numbers.ts';
import { TimeChart } from '../../ui/charts/time-chart.tsx';
import { Empty, Loaded } from '../../ui/notice.tsx';
import { PageHead, Section } from '../../ui/page.tsx';
import { Quiet, Time } from '../../ui/text.tsx';
import { curlFor } from '../recover/curl.ts';
import { OpenOperations } from './open-operations.tsx';
import { Outages } from './outages.tsx';
import { outcomeLines } from './outcome-lines.ts';
import { Standing } from './standing.tsx';
import { useRange } from './use-range.ts';

/** What is broken now, what is being done about it, and how the last day went. */
export function NowScreen() {
  return (
    <>
      <PageHead title="Now" />
      <Outages />
      <Standing />
      <OpenOperations />
      <Day />
    </>
  );
}

function Day() {
  const range = useRange();
  const navigate = useNavigate();
  const attempts = useQuery({ ...attemptStatsQuery(range, 'outcome'), refetchInterval: 15_000 });
  const events = useQuery({ ...eventStatsQuery(range), refetchInterval: 15_000 });
  return (
    <Section
      title="The last 24 hours, by the minute"
      aside={
        attempts.data && (
          <>
            {whole(attempts.data.total)} attempts, as of <Time at={attempts.data.asOf} />
            {attempts.data.truncated ? (
              <>
                , counted since <Time at={attempts.data.countedSince} />
              </>
            ) : null}
            {events.data?.truncated ? (
              <>
                , events counted since <Time at={events.data.countedSince} />
              </>
            ) : null}
          </>
        )
      }
    >
      <Loaded query={attempts} what="the attempts of the last day">
        {(stats) =>
          stats.total === 0 && events.data?.total === 0 ? (
            <Empty
              title="Nothing was accepted or sent within the last day"
              command={curlFor(location.origin, 'POST', '/api/v1/events', {
                type: 'invoice.paid',
                payload: { id: 'inv-1' },
              })}
            >
              <p>Send an event: each endpoint that wants its type gets a delivery of it.</p>
            </Empty>
          ) : (
            <TimeChart
              label="Accepted events and attempts, by the minute"
              times={stats.buckets}
              lines={[
                ...(events.data?.buckets.length === stats.buckets.length
                  ? [{ name: 'Accepted', tone: 'still' as const, values: events.data.counts, dashed: true }]
                  : []),
                ...outcomeLines(stats),
              ]}
              onRange={(lastAttemptAfter, lastAttemptBefore) =>
                void navigate({ to: '/failures', search: { lastAttemptAfter, lastAttemptBefore } })
              }
            >
              <Quiet>Drag over a time to see what failed in it.</Quiet>
            </TimeChart>
          )
        }
      </Loaded>
    </Section>
  );
}
