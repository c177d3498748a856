import { Link, Navigate, useParams } from '@tanstack/react-router';
import { useMemo } from 'react';
import type { Schema } from '../../api/client.ts';
import { useEndpointNames } from '../../api/endpoint-names.ts';
import { type ItemState, itemPages } from '../../api/queries.ts';
import { inputList, inputSome, writeSearch } from '../../api/search-input.ts';
import { noValuesBy, oneOf } from '../../format/filter-forms.ts';
import { isPlanId } from '../../format/ids.ts';
import { whole } from '../../format/numbers.ts';
import { sentence, words } from '../../format/words.ts';
import { useUrl } from '../../shell/url.ts';
import { buttonClass } from '../../ui/button.tsx';
import { PARTS } from '../../ui/charts/equation.tsx';
import { DownloadButton } from '../../ui/download.tsx';
import { ChooseSome } from '../../ui/field.tsx';
import { NoValues } from '../../ui/no-values.tsx';
import { Empty } from '../../ui/notice.tsx';
import { PageHead, Toolbar } from '../../ui/page.tsx';
import { State } from '../../ui/state.tsx';
import { LongTable } from '../../ui/tables/long-table.tsx';
import { usePagedRows } from '../../ui/tables/paged-rows.ts';
import type { Column } from '../../ui/tables/table.tsx';
import { IdText, Time } from '../../ui/text.tsx';
import { DELIVERY_COLUMN } from '../delivery/delivery-column.tsx';

type Item = Schema<'OperationItem'>;

const STATES = PARTS.map(({ part }) => part);

/** The ledger of an operation: each delivery that it selected, with what became of it. */
export function ItemsScreen() {
  const { id } = useParams({ from: '/operations/$id/items' });
  return isPlanId(id) ? (
    <Navigate to="/plans/$id/items" params={{ id }} search={{}} replace />
  ) : (
    <ItemsOf id={id} />
  );
}

function ItemsOf({ id }: { id: string }) {
  const [search, change] = useUrl();
  const noValues = noValuesBy({ state: oneOf(STATES) }, { state: inputList(search.state) });
  const states = inputSome(search.state, STATES);
  const choose = (state: readonly string[]) =>
    change({ state: state.length > 0 ? state : undefined }, { replace: true });
  return (
    <>
      <PageHead
        title="Items"
        beside={<IdText id={id} />}
        actions={
          <Link to="/operations/$id" params={{ id }} className={buttonClass()}>
            Back to the operation
          </Link>
        }
      />
      <Toolbar>
        <ChooseSome
          label="State"
          choices={STATES.map((state) => ({ value: state, text: sentence(state) }))}
          // What is no state is named below, and goes with the first choice: the API refuses a list with it.
          values={states ?? []}
          onValues={choose}
        />
        {noValues.length > 0 ? null : (
          <DownloadButton
            path={`/api/v1/retries/${id}/items${writeSearch({ state: states })}`}
            accept="text/csv"
            name={`${[id, ...(states ?? [])].join('-')}.csv`}
          >
            Download as CSV
          </DownloadButton>
        )}
      </Toolbar>
      {noValues.length > 0 ? (
        <NoValues found={noValues} nameOf={sentence} onRemove={() => choose(states ?? [])} />
      ) : (
        <Items id={id} states={states} />
      )}
    </>
  );
}

function Items({ id, states }: { id: string; states: ItemState[] | undefined }) {
  const rows = usePagedRows(itemPages(id, states));
  const columns = useItemColumns();
  return (
    <LongTable
      label="Items"
      rows={rows}
      columns={columns}
      rowKey={({ deliveryId }) => deliveryId}
      empty={
        <Empty title="No items">
          <p>Nothing of this operation is in such a state now. Choose another state, or none for all.</p>
        </Empty>
      }
    />
  );
}

function useItemColumns() {
  const nameOf = useEndpointNames();
  return useMemo<readonly Column<Item>[]>(
    () => [
      DELIVERY_COLUMN,
      {
        key: 'state',
        head: 'State',
        width: '120px',
        narrow: '104px',
        cell: (item) => <State state={item.kind === 'item' ? item.state : 'excluded'} />,
      },
      { key: 'endpoint', head: 'Endpoint', wide: true, cell: ({ endpointId }) => nameOf(endpointId) },
      {
        key: 'why',
        head: 'Why',
        cell: (item) =>
          item.kind === 'exclusion' ? (
            <span title={`${item.why} ${item.next}`}>{sentence(item.reason)}</span>
          ) : (
            [
              item.faultCode && words(item.faultCode),
              item.httpStatus,
              item.mayHaveArrived ? 'may have arrived' : undefined,
              item.waitingFor.length > 0
                ? `waits: ${item.waitingFor.map(({ what }) => words(what)).join(', ')}`
                : undefined,
            ]
              .filter(Boolean)
              .join(' · ') || '–'
          ),
      },
      { key: 'type', head: 'Type', wide: true, cell: ({ eventType }) => eventType },
      { key: 'yours', head: 'Your id', wide: true, cell: ({ externalId }) => externalId ?? '–' },
      {
        key: 'attempts',
        head: 'Attempts',
        width: '80px',
        right: true,
        wide: true,
        cell: (item) => (item.kind === 'item' ? whole(item.attempts) : '–'),
      },
      {
        key: 'finished',
        head: 'Ended',
        width: '136px',
        wide: true,
        cell: (item) => <Time at={item.kind === 'item' ? item.finishedAt : item.createdAt} />,
      },
    ],
    [nameOf],
  );
}
