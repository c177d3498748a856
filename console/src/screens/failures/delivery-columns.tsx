import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import type { Schema } from '../../api/client.ts';
import { useEndpointNames } from '../../api/endpoint-names.ts';
import { words } from '../../format/words.ts';
import { State } from '../../ui/state.tsx';
import type { Column } from '../../ui/tables/table.tsx';
import { IdText, Time } from '../../ui/text.tsx';

/** The columns of a list of deliveries. */
export function useDeliveryColumns(): readonly Column<Schema<'Delivery'>>[] {
  const nameOf = useEndpointNames();
  // The same ones as long as the names are: rows that have not changed are not drawn again.
  return useMemo(
    () => [
      {
        key: 'id',
        head: 'Delivery',
        width: '128px',
        narrow: '108px',
        cell: ({ id }) => (
          <Link to="/deliveries/$id" params={{ id }}>
            <IdText id={id} />
          </Link>
        ),
      },
      {
        key: 'state',
        head: 'State',
        width: '104px',
        narrow: '96px',
        cell: ({ state }) => <State state={state} />,
      },
      { key: 'endpoint', head: 'Endpoint', wide: true, cell: ({ endpointId }) => nameOf(endpointId) },
      {
        key: 'why',
        head: 'Why',
        width: '192px',
        cell: ({ faultCode, httpStatus }) =>
          [faultCode && words(faultCode), httpStatus].filter(Boolean).join(' · ') || '–',
      },
      { key: 'type', head: 'Type', wide: true, cell: ({ event }) => event.type },
      {
        key: 'accepted',
        head: 'Accepted',
        width: '136px',
        wide: true,
        cell: ({ acceptedAt }) => <Time at={acceptedAt} />,
      },
      {
        key: 'last',
        head: 'Last try',
        width: '136px',
        wide: true,
        cell: ({ lastAttemptAt }) => <Time at={lastAttemptAt} />,
      },
    ],
    [nameOf],
  );
}
