import { Link } from '@tanstack/react-router';
import type { Schema } from '../../api/client.ts';
import { whole } from '../../format/numbers.ts';
import { Bar } from '../../ui/charts/equation.tsx';
import { State } from '../../ui/state.tsx';
import { Table } from '../../ui/tables/table.tsx';
import { Actor, IdText, Quiet, Time, Words } from '../../ui/text.tsx';

/** Operations in rows: state, who, why, how far. */
export function OperationsTable({ operations }: { operations: readonly Schema<'OperationSummary'>[] }) {
  return (
    <Table
      label="Operations"
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
          cell: ({ id, state, counts }) =>
            // A plan has selected nothing yet: what it would take stands with it.
            counts.expected === 0 && (state === 'planned' || state === 'awaiting_approval') ? (
              <Quiet>–</Quiet>
            ) : (
              <Link to="/operations/$id/items" params={{ id }}>
                {whole(counts.expected)}
              </Link>
            ),
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
