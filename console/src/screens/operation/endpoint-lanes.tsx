import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type OperationEndpoint, send } from '../../api/coming.ts';
import { usePolling } from '../../api/live.ts';
import { hasEnded } from '../../api/newer.ts';
import { operationEndpointsQuery } from '../../api/queries.ts';
import { counted, whole } from '../../format/numbers.ts';
import { Button } from '../../ui/button.tsx';
import { Refusal } from '../../ui/notice.tsx';
import { Section } from '../../ui/page.tsx';
import { State } from '../../ui/state.tsx';
import { Table } from '../../ui/table.tsx';
import { Quiet } from '../../ui/text.tsx';
import type { Operation } from './operation-screen.tsx';

/** A row for each endpoint of an operation: its counts, its canary, and the way on for it alone. */
export function EndpointLanes({ operation }: { operation: Operation }) {
  const { id, state } = operation;
  const polling = usePolling(2_000);
  const query = useQuery({
    ...operationEndpointsQuery(id),
    refetchInterval: hasEnded(state) ? false : polling || 5_000,
  });
  const queries = useQueryClient();
  const resume = useMutation({
    mutationFn: (endpointId: string) =>
      send('POST', `/api/v1/retries/${id}/resume`, { endpointIds: [endpointId] }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['operation', id] }),
  });
  // Where the answer by endpoint is not there, the breakdown of the operation itself is what is known.
  const rows = query.data?.items ?? operation.endpoints?.map(fromBreakdown) ?? [];
  if (rows.length === 0) return null;
  const standing = state === 'halted' || state === 'paused';
  return (
    <Section title="By endpoint" aside={counted(operation.endpointCount ?? rows.length, 'endpoint')}>
      {resume.error ? <Refusal error={resume.error} /> : null}
      <Table
        label="Endpoints of the operation"
        rows={rows}
        rowKey={({ endpointId }) => endpointId}
        columns={[
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
          ...(['delivered', 'failed', 'unknown'] as const).map((part) => ({
            key: part,
            head: part.charAt(0).toUpperCase() + part.slice(1),
            right: true,
            cell: ({ endpointId, counts }: OperationEndpoint) =>
              counts[part] ? (
                <Link
                  to="/operations/$id/items"
                  params={{ id }}
                  search={{ state: part, endpointIds: endpointId }}
                >
                  {whole(counts[part])}
                </Link>
              ) : (
                0
              ),
          })),
          {
            key: 'others',
            head: 'Others',
            right: true,
            wide: true,
            cell: ({ counts }) =>
              whole(
                Object.entries(counts)
                  .filter(([part]) => !['delivered', 'failed', 'unknown', 'items', 'expected'].includes(part))
                  .reduce((sum, [, count]) => sum + count, 0),
              ),
          },
          ...(standing
            ? [
                {
                  key: 'resume',
                  head: <span className="hidden-text">Resume</span>,
                  right: true,
                  cell: ({ endpointId, handle }: OperationEndpoint) => (
                    <Button
                      small
                      needs="recover:plans"
                      aria-label={`Resume at ${handle}`}
                      busy={resume.isPending && resume.variables === endpointId}
                      onClick={() => resume.mutate(endpointId)}
                    >
                      Resume here
                    </Button>
                  ),
                },
              ]
            : []),
        ]}
      />
    </Section>
  );
}

function Canary({ canary }: Pick<OperationEndpoint, 'canary'>) {
  if (!canary) return <Quiet>none</Quiet>;
  const { verdict, sent, of, bad } = canary;
  if (verdict === 'held') return <State state="held" tone="bad" text={`${bad} of ${of} bad: held`} />;
  if (verdict === 'good') return <State state="good" tone="good" text={`${of - bad} of ${of} good`} />;
  return <State state="running" text={`${sent} of ${of} sent, ${bad} bad`} />;
}

function fromBreakdown({
  endpointId,
  handle,
  delivered,
  failed,
  unknown,
  others,
}: NonNullable<Operation['endpoints']>[number]): OperationEndpoint {
  return { endpointId, handle, counts: { delivered, failed, unknown, others }, canary: null };
}
