import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { usePolling } from '../../api/live.ts';
import { OPEN_STATES } from '../../api/operation-states.ts';
import { attemptStatsQuery, eventStatsQuery, operationsQuery } from '../../api/queries.ts';
import { whole } from '../../format/numbers.ts';
import { TimeChart } from '../../ui/charts/time-chart.tsx';
import { Empty, Loaded } from '../../ui/notice.tsx';
import { PageHead, Section } from '../../ui/page.tsx';
import { Quiet, Time } from '../../ui/text.tsx';
import { OperationsTable } from '../operations/operations-table.tsx';
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

function OpenOperations() {
  const query = useInfiniteQuery({
    ...operationsQuery({ state: [...OPEN_STATES] }),
    refetchInterval: usePolling(3_000),
  });
  return (
    <Section title="Open operations" aside={<Link to="/operations">All operations</Link>}>
      <Loaded query={query} what="the open operations">
        {({ pages }) => {
          const open = pages.flatMap(({ items }) => items);
          return open.length === 0 ? (
            <Quiet>
              Nothing is being recovered. <Link to="/failures">Look at what failed.</Link>
            </Quiet>
          ) : (
            <OperationsTable operations={open.slice(0, 20)} />
          );
        }}
      </Loaded>
    </Section>
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
          </>
        )
      }
    >
      <Loaded query={attempts} what="the attempts of the last day">
        {(stats) =>
          stats.total === 0 && events.data?.total === 0 ? (
            <Empty
              title="Nothing was accepted or sent within the last day"
              command={`curl -X POST ${location.origin}/api/v1/events -H "authorization: Bearer $REDRIVE_KEY" -H "content-type: application/json" -d '{"type":"invoice.paid","payload":{"id":"inv-1"}}'`}
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
