import { useQuery } from '@tanstack/react-query';
import { Link, Navigate, useParams } from '@tanstack/react-router';
import type { Schema } from '../../api/client.ts';
import { usePolling } from '../../api/live.ts';
import { operationQuery } from '../../api/queries.ts';
import { isPlanId, planId } from '../../format/ids.ts';
import { counted } from '../../format/numbers.ts';
import { sentence } from '../../format/words.ts';
import { Equation } from '../../ui/charts/equation.tsx';
import { Loaded } from '../../ui/notice.tsx';
import { PageHead, Section } from '../../ui/page.tsx';
import { State } from '../../ui/state.tsx';
import { IdText } from '../../ui/text.tsx';
import { ApprovalPanel } from '../approvals/approval-panel.tsx';
import { SelectionSentence } from '../recover/selection-sentence.tsx';
import { Causes } from './causes.tsx';
import { Controls } from './controls.tsx';
import { EndpointLanes } from './endpoint-lanes.tsx';
import { plannedOnly } from './extent.ts';
import { HaltNotice } from './halt-notice.tsx';
import { OperationFacts } from './operation-facts.tsx';
import { Progress } from './progress.tsx';
import { Timeline } from './timeline.tsx';
import { Workflow } from './workflow.tsx';

/** An operation as it is shown by itself. */
export type Operation = Schema<'OperationDetails'>;

/** An operation as it goes: how far it is, what holds it up, and what can be done about it. */
export function OperationScreen() {
  const { id } = useParams({ from: '/operations/$id' });
  return isPlanId(id) ? <Navigate to="/recover" search={{ plan: id }} replace /> : <OperationById id={id} />;
}

function OperationById({ id }: { id: string }) {
  const polling = usePolling(2_000);
  const query = useQuery(operationQuery(id, polling));
  return query.data ? (
    <Shown operation={query.data} />
  ) : (
    <>
      <PageHead title="Operation" beside={<IdText id={id} />} />
      <Loaded query={query} what="the operation">
        {() => null}
      </Loaded>
    </>
  );
}

function Shown({ operation }: { operation: Operation }) {
  const { id, kind, state, counts } = operation;
  const planned = plannedOnly(operation);
  return (
    <>
      <PageHead
        title={kind === 'retry' ? 'Retry' : 'Replay'}
        beside={
          <>
            <IdText id={id} />
            <State state={state} />
          </>
        }
        about={<SelectionSentence selection={operation.select} />}
        actions={<Controls operation={operation} />}
      />
      <HaltNotice operation={operation} />
      {operation.approval && state === 'awaiting_approval' ? (
        <ApprovalPanel operation={operation} approval={operation.approval} />
      ) : null}
      <Section
        title="Where it stands"
        aside={operation.nothingSelected ? 'Nothing matched: it had nothing to do.' : undefined}
      >
        {planned !== undefined ? (
          <p>
            <Link to="/plans/$id/items" params={{ id: planId(id) }}>
              {counted(planned, 'delivery', 'deliveries')}
            </Link>{' '}
            planned; none is selected or sent before it runs.
          </p>
        ) : (
          <Equation
            counts={counts}
            link={(part, children) => (
              <Link to="/operations/$id/items" params={{ id }} search={part ? { state: part } : {}}>
                {children}
              </Link>
            )}
          />
        )}
      </Section>
      <Section title="Now">
        <OperationFacts operation={operation} />
      </Section>
      <Progress operation={operation} />
      <EndpointLanes operation={operation} />
      <Causes operation={operation} />
      <Section title="What happened" aside={sentence(state)}>
        <Timeline operation={operation} />
      </Section>
      <Workflow operation={operation} />
    </>
  );
}
