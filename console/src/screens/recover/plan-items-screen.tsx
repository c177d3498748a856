import { Link, useParams } from '@tanstack/react-router';
import { useMemo } from 'react';
import type { Schema } from '../../api/client.ts';
import { useEndpointNames } from '../../api/endpoint-names.ts';
import { planItemPages, type Risk } from '../../api/queries.ts';
import { inputList, inputSome } from '../../api/search-input.ts';
import { noValuesBy, oneOf } from '../../format/filter-forms.ts';
import { planId } from '../../format/ids.ts';
import { sentence, words } from '../../format/words.ts';
import { useUrl } from '../../shell/url.ts';
import { buttonClass } from '../../ui/button.tsx';
import { NoValues } from '../../ui/no-values.tsx';
import { Empty } from '../../ui/notice.tsx';
import { PageHead } from '../../ui/page.tsx';
import { LongTable } from '../../ui/tables/long-table.tsx';
import { usePagedRows } from '../../ui/tables/paged-rows.ts';
import type { Column } from '../../ui/tables/table.tsx';
import { DELIVERY_COLUMN } from '../delivery/delivery-column.tsx';
import { RISKS } from './risk-words.ts';

/** The deliveries of a plan, of some risks or of all, as they were planned and as they are. */
export function PlanItemsScreen() {
  const id = planId(useParams({ from: '/plans/$id/items' }).id);
  const [search, change] = useUrl();
  const noValues = noValuesBy({ risk: oneOf(RISKS) }, { risk: inputList(search.risk) });
  const risks = inputSome(search.risk, RISKS);
  return (
    <>
      <PageHead
        title={
          risks === undefined
            ? 'Deliveries of the plan'
            : `${sentence(risks.map(words).join(', '))}: deliveries of the plan`
        }
        about="Those that the plan counts, except where the event is past its term and gone. What is so now stands beside it."
        actions={
          <Link to="/recover" search={{ plan: id }} className={buttonClass()}>
            Back to the plan
          </Link>
        }
      />
      {noValues.length > 0 ? (
        <NoValues found={noValues} nameOf={sentence} onRemove={() => change({ risk: risks })} />
      ) : (
        <PlanItems id={id} risks={risks} />
      )}
    </>
  );
}

function PlanItems({ id, risks }: { id: string; risks: Risk[] | undefined }) {
  const rows = usePagedRows(planItemPages(id, risks));
  const columns = useColumns();
  return (
    <LongTable
      label="Deliveries of the plan"
      rows={rows}
      rowKey={({ deliveryId }) => deliveryId}
      columns={columns}
      empty={
        <Empty title="None">
          <p>The plan has no delivery with this risk, or none whose event is still kept.</p>
        </Empty>
      }
    />
  );
}

function useColumns() {
  const nameOf = useEndpointNames();
  return useMemo<readonly Column<Schema<'PlanItem'>>[]>(
    () => [
      DELIVERY_COLUMN,
      { key: 'endpoint', head: 'Endpoint', wide: true, cell: ({ endpointId }) => nameOf(endpointId) },
      { key: 'type', head: 'Type', wide: true, cell: ({ eventType }) => eventType },
      { key: 'yours', head: 'Your id', wide: true, cell: ({ externalId }) => externalId ?? '–' },
      {
        key: 'then',
        head: 'Risks when planned',
        width: '20%',
        cell: ({ risks }) => risks.map(words).join(', ') || 'none',
      },
      {
        key: 'now',
        head: 'Now',
        width: '20%',
        wide: true,
        cell: ({ risksNow }) => risksNow.map(words).join(', ') || 'none',
      },
      {
        key: 'left',
        head: 'Would be sent',
        narrow: '96px',
        cell: ({ leftOutFor, why }) =>
          leftOutFor === null ? 'yes' : <span title={why ?? ''}>no: {words(leftOutFor)}</span>,
      },
    ],
    [nameOf],
  );
}
