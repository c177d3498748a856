import { Link } from '@tanstack/react-router';
import type { Schema } from '../../api/client.ts';
import { planId } from '../../format/ids.ts';
import { whole } from '../../format/numbers.ts';
import { Bar } from '../../ui/charts/equation.tsx';
import { State } from '../../ui/state.tsx';
import { Table } from '../../ui/tables/table.tsx';
import { Actor, IdText, Quiet, Time, Words } from '../../ui/text.tsx';
import { plannedOnly } from '../operation/extent.ts';

type Operation = Schema<'OperationSummary'>;

/** Operations in rows: state, who, why, how far. */
export function OperationsTable({
  operations,
  label = 'Operations',
}: {
  operations: readonly Operation[];
  label?: string;
}) {
  return (
    <Table
      label={label}
      rows={operations}
      rowKey={({ id }) => id}
      columns={[
        {
          key: 'id',
          head: 'Operation',
          cell: ({ id, kind }) => (
            <Link to="/operations/$id" params={{ id }}>
              {kind === 'retry' ? 'Retry' : 'Replay'} <IdText id={id} />
            </Link>
          ),
        },
        { key: 'state', head: 'State', cell: ({ state }) => <State state={state} /> },
        {
          key: 'expected',
          head: 'Deliveries',
          right: true,
          cell: (operation) => <Deliveries operation={operation} />,
        },
        {
          key: 'bar',
          head: 'How far',
          wide: true,
          width: '176px',
          cell: ({ counts }) => <Bar counts={counts} thin />,
        },
        { key: 'who', head: 'Who', wide: true, cell: ({ requestedBy }) => <Actor actor={requestedBy} /> },
        {
          key: 'why',
          head: 'Why',
          wide: true,
          cell: ({ reason, ticket }) =>
            reason || ticket ? (
              <Words text={[ticket, reason].filter(Boolean).join(' · ')} />
            ) : (
              <Quiet>not said</Quiet>
            ),
        },
        { key: 'began', head: 'Began', wide: true, cell: ({ createdAt }) => <Time at={createdAt} /> },
      ]}
    />
  );
}

/** How many it is about: nothing of a plan is selected before it runs. */
function Deliveries({ operation }: { operation: Operation }) {
  const { id, counts } = operation;
  const planned = plannedOnly(operation);
  return planned === undefined ? (
    <Link to="/operations/$id/items" params={{ id }}>
      {whole(counts.expected)}
    </Link>
  ) : (
    <Link to="/plans/$id/items" params={{ id: planId(id) }}>
      {whole(planned)}
    </Link>
  );
}
