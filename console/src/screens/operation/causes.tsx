import { Link } from '@tanstack/react-router';
import { whole } from '../../format/numbers.ts';
import { sentence } from '../../format/words.ts';
import { Section } from '../../ui/page.tsx';
import { State } from '../../ui/state.tsx';
import { Table } from '../../ui/tables/table.tsx';
import type { Operation } from './operation-screen.tsx';

/** Why items are not delivered, the most frequent causes first. */
export function Causes({ operation: { id, causes } }: { operation: Operation }) {
  if (!causes || causes.length === 0) return null;
  return (
    <Section title="Why some are not delivered">
      <Table
        label="Causes"
        rows={causes}
        rowKey={({ state, reason, faultCode, httpStatus }) => `${state} ${reason} ${faultCode} ${httpStatus}`}
        columns={[
          { key: 'state', head: 'State', cell: ({ state }) => <State state={state} /> },
          {
            key: 'why',
            head: 'Why',
            cell: ({ reason, faultCode }) => sentence(faultCode ?? reason ?? 'not known'),
          },
          { key: 'status', head: 'Status', wide: true, cell: ({ httpStatus }) => httpStatus ?? '–' },
          {
            key: 'items',
            head: 'Deliveries',
            right: true,
            // Items are listed by their state: where it has several causes none of them has a list of its own.
            cell: ({ items, state }) =>
              causes.filter((cause) => cause.state === state).length > 1 ? (
                whole(items)
              ) : (
                <Link to="/operations/$id/items" params={{ id }} search={{ state }}>
                  {whole(items)}
                </Link>
              ),
          },
        ]}
      />
    </Section>
  );
}
