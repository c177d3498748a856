import { answerOf } from '@redrive/client';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { calls, type Schema } from '../../api/client.ts';
import { usePolling } from '../../api/live.ts';
import { hasEnded } from '../../api/newer.ts';
import { operationEndpointsQuery } from '../../api/queries.ts';
import { counted, whole } from '../../format/numbers.ts';
import { Button } from '../../ui/button.tsx';
import { Bar, PARTS } from '../../ui/charts/equation.tsx';
import { Check } from '../../ui/field.tsx';
import { Loaded, Refusal } from '../../ui/notice.tsx';
import { Section, Toolbar } from '../../ui/page.tsx';
import { State } from '../../ui/state.tsx';
import { type Column, Table } from '../../ui/tables/table.tsx';
import { Quiet, Time } from '../../ui/text.tsx';
import type { Operation } from './operation-screen.tsx';

type OperationEndpoint = Schema<'OperationEndpoints'>['endpoints'][number];

/** A screen of endpoints; the rest is summed up below it. */
const SHOWN = 100;

/** A lane for each endpoint of an operation: how its canary stands, its counts, and the way on for it alone. */
export function EndpointLanes({ operation }: { operation: Operation }) {
  const { id, state } = operation;
  const polling = usePolling(2_000);
  const query = useQuery({
    ...operationEndpointsQuery(id),
    refetchInterval: hasEnded(state) ? false : polling || 5_000,
  });
  const queries = useQueryClient();
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const resume = useMutation({
    mutationFn: (endpointIds: readonly string[]) =>
      answerOf(
        calls.POST('/api/v1/retries/{id}/resume', {
          params: { path: { id } },
          body: { endpointIds: [...endpointIds] },
        }),
      ),
    onSuccess: () => {
      setPicked(new Set());
      return queries.invalidateQueries({ queryKey: ['operation', id] });
    },
  });
  const columns = columnsFor(operation, (endpointId, handle) => (
    <Check
      silent
      label={`Resume at ${handle}`}
      value={picked.has(endpointId)}
      onValue={() => setPicked((before) => toggled(before, endpointId))}
    />
  ));
  return (
    <Section
      title="By endpoint"
      aside={
        query.data && (
          <>
            {counted(query.data.endpointCount, 'endpoint')},{' '}
            {query.data.basis === 'exact' ? '' : 'at least, '}as of <Time at={query.data.asOf} />
          </>
        )
      }
    >
      {resume.error ? <Refusal error={resume.error} /> : null}
      {heldByEndpoint(operation) ? (
        <Toolbar>
          <Button
            small
            needs="recover:plans"
            busy={resume.isPending}
            refused={picked.size === 0 ? 'Pick endpoints first: the others stay as they are.' : undefined}
            onClick={() => resume.mutate([...picked])}
          >
            {picked.size === 0 ? 'Resume at some only' : `Resume at ${counted(picked.size, 'endpoint')} only`}
          </Button>
        </Toolbar>
      ) : null}
      <Loaded query={query} what="the endpoints of the operation">
        {({ endpoints, endpointCount }) =>
          endpoints.length === 0 ? (
            <Quiet>It has nothing for any endpoint yet.</Quiet>
          ) : (
            <>
              <Table
                label="Endpoints of the operation"
                rows={endpoints.slice(0, SHOWN)}
                rowKey={({ endpointId }) => endpointId}
                columns={columns}
              />
              {endpointCount > SHOWN ? <Quiet>and {whole(endpointCount - SHOWN)} smaller ones</Quiet> : null}
            </>
          )
        }
      </Loaded>
    </Section>
  );
}

function columnsFor(
  operation: Operation,
  pick: (endpointId: string, handle: string) => React.ReactNode,
): readonly Column<OperationEndpoint>[] {
  return [
    {
      key: 'endpoint',
      head: 'Endpoint',
      cell: ({ endpointId, handle }) => (
        <Link to="/endpoints/$id" params={{ id: endpointId }}>
          {handle}
        </Link>
      ),
    },
    { key: 'canary', head: 'Canary', cell: ({ canary }) => <Canary canary={canary} /> },
    {
      key: 'bar',
      head: 'How far',
      width: '160px',
      wide: true,
      cell: ({ counts }) => <Bar counts={counts} thin />,
    },
    { key: 'expected', head: 'Expected', right: true, cell: ({ counts }) => whole(counts.expected) },
    ...(['delivered', 'failed', 'unknown'] as const).map((part) => ({
      key: part,
      head: part.charAt(0).toUpperCase() + part.slice(1),
      right: true,
      wide: part !== 'delivered',
      cell: ({ counts }: OperationEndpoint) => whole(counts[part]),
    })),
    {
      key: 'others',
      head: 'Others',
      right: true,
      wide: true,
      cell: ({ counts }) =>
        whole(
          PARTS.filter(({ part }) => !['delivered', 'failed', 'unknown'].includes(part)).reduce(
            (sum, { part }) => sum + counts[part],
            0,
          ),
        ),
    },
    ...(heldByEndpoint(operation)
      ? [
          {
            key: 'resume',
            head: 'Resume',
            cell: ({ endpointId, handle }: OperationEndpoint) => pick(endpointId, handle),
          },
        ]
      : []),
  ];
}

/** Endpoints are held one by one by their canaries: without one an operation stands still as a whole. */
function heldByEndpoint({ state, options }: Operation): boolean {
  return (state === 'halted' || state === 'paused') && options.canary !== undefined;
}

function toggled(picked: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const after = new Set(picked);
  if (!after.delete(id)) after.add(id);
  return after;
}

function Canary({ canary }: Pick<OperationEndpoint, 'canary'>) {
  if (!canary) return <Quiet>none</Quiet>;
  const { state, allowed, claimed, attempts, bad } = canary;
  const known = attempts !== null && bad !== null;
  if (state === 'held')
    return (
      <State state="held" tone="bad" text={known ? `${bad} of ${attempts} bad: held` : 'Held by hand'} />
    );
  if (state === 'passed')
    return (
      <State state="passed" tone="good" text={known ? `${attempts - bad} of ${attempts} good` : 'Good'} />
    );
  return <State state="running" text={`${claimed} of ${allowed} taken${known ? `, ${bad} bad` : ''}`} />;
}
