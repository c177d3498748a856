import { Link } from '@tanstack/react-router';
import type { Schema } from '../../api/client.ts';
import type { SearchInput } from '../../api/search-input.ts';
import { timeRange } from '../../format/durations.ts';
import { counted, whole } from '../../format/numbers.ts';
import { words } from '../../format/words.ts';
import { Section } from '../../ui/page.tsx';
import { State } from '../../ui/state.tsx';
import { Table } from '../../ui/tables/table.tsx';
import { Quiet } from '../../ui/text.tsx';
import { Changes } from './changes.tsx';
import { RiskCount, risksIn } from './plan-risks.tsx';

type Plan = Schema<'Plan'>;

/** The endpoints of a plan: how many, their risks, and what differs from how they were. */
export function PlanEndpoints({
  plan,
  leaveOut,
  onLeaveOut,
}: {
  plan: Plan;
  leaveOut?: ((endpointId: string) => SearchInput) | undefined;
  onLeaveOut?: () => void;
}) {
  if (plan.endpoints.length === 0) return null;
  return (
    <Section
      title="By endpoint"
      aside={
        plan.endpoints.length < plan.endpointCount
          ? `the largest ${plan.endpoints.length} of ${whole(plan.endpointCount)}`
          : counted(plan.endpointCount, 'endpoint')
      }
    >
      <Table
        label="Endpoints of the plan"
        rows={plan.endpoints}
        rowKey={({ endpointId }) => endpointId}
        columns={[
          {
            key: 'endpoint',
            head: 'Endpoint',
            cell: ({ endpointId, handle, state }) => (
              <>
                <Link to="/endpoints/$id" params={{ id: endpointId }}>
                  {handle}
                </Link>{' '}
                {state === 'enabled' ? null : <State state={state} />}
              </>
            ),
          },
          { key: 'items', head: 'Deliveries', right: true, cell: ({ items }) => whole(items) },
          { key: 'sends', head: 'Sent', right: true, cell: ({ sends }) => whole(sends) },
          {
            key: 'risks',
            head: 'Risks',
            wide: true,
            cell: ({ risks }) => {
              const found = risksIn(risks);
              return found.length === 0 ? (
                <Quiet>none</Quiet>
              ) : (
                found.map((risk, at) => (
                  <span key={risk}>
                    {at === 0 ? '' : ', '}
                    <RiskCount plan={plan.id} risk={risk} count={risks[risk]} /> {words(risk)}
                  </span>
                ))
              );
            },
          },
          {
            key: 'changed',
            head: 'As it was → as it is',
            wide: true,
            cell: ({ changed, was, now, originalVersions, currentVersion }) =>
              changed.length === 0 ? (
                <Quiet>the same, version {currentVersion}</Quiet>
              ) : (
                <details>
                  <summary>
                    {changed.map(words).join(', ')} (version {originalVersions.join(', ')} → {currentVersion})
                  </summary>
                  <Changes
                    changes={changed.map((member) => ({ member, was: was?.[member], now: now?.[member] }))}
                  />
                </details>
              ),
          },
          { key: 'time', head: 'Time', wide: true, cell: ({ timeToFinish }) => timeRange(timeToFinish) },
          ...(leaveOut
            ? [
                {
                  key: 'leave',
                  head: <span className="hidden-text">Leave out</span>,
                  right: true,
                  cell: ({ endpointId, handle }: Plan['endpoints'][number]) => (
                    <Link
                      to="/recover"
                      search={leaveOut(endpointId)}
                      onClick={onLeaveOut}
                      aria-label={`Leave out ${handle}`}
                    >
                      Leave out
                    </Link>
                  ),
                },
              ]
            : []),
        ]}
      />
    </Section>
  );
}
