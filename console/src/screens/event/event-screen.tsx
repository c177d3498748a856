import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useEndpointNames } from '../../api/endpoint-names.ts';
import { eventQuery } from '../../api/queries.ts';
import { bytes, whole } from '../../format/numbers.ts';
import { Loaded } from '../../ui/notice.tsx';
import { Facts, PageHead, Section } from '../../ui/page.tsx';
import { State } from '../../ui/state.tsx';
import { Table } from '../../ui/tables/table.tsx';
import { IdText, Quiet, Time } from '../../ui/text.tsx';
import { Payload } from '../delivery/payload.tsx';

/** An event, with a delivery for each endpoint that wanted it. */
export function EventScreen() {
  const { id } = useParams({ from: '/events/$id' });
  const query = useQuery(eventQuery(id));
  const nameOf = useEndpointNames();
  return (
    <>
      <PageHead title="Event" beside={<IdText id={id} />} />
      <Loaded query={query} what="the event">
        {(event) => (
          <>
            <Section title="About it">
              <Facts
                facts={{
                  Type: event.type,
                  Number: whole(event.number),
                  'Your id': event.externalId ?? undefined,
                  Source: event.source ?? undefined,
                  Key: event.key ?? undefined,
                  Occurred: event.occurredAt === null ? undefined : <Time at={event.occurredAt} whole />,
                  Accepted: <Time at={event.acceptedAt} whole />,
                  'Repeats the event': event.duplicateOf ? (
                    <Link to="/events/$id" params={{ id: event.duplicateOf }}>
                      <IdText id={event.duplicateOf} />
                    </Link>
                  ) : undefined,
                  'Sent again as': event.resentAs ? (
                    <Link to="/events/$id" params={{ id: event.resentAs }}>
                      <IdText id={event.resentAs} />
                    </Link>
                  ) : undefined,
                  Payload: `${bytes(event.payloadBytes)}${event.payloadKept ? '' : ', gone'}`,
                }}
              />
            </Section>
            <Section title="Deliveries">
              {event.deliveries.length === 0 ? (
                <Quiet>No endpoint wanted it.</Quiet>
              ) : (
                <Table
                  label="Deliveries of the event"
                  rows={event.deliveries}
                  rowKey={(delivery) => delivery.id}
                  columns={[
                    {
                      key: 'id',
                      head: 'Delivery',
                      cell: (delivery) => (
                        <Link to="/deliveries/$id" params={{ id: delivery.id }}>
                          <IdText id={delivery.id} />
                        </Link>
                      ),
                    },
                    { key: 'endpoint', head: 'Endpoint', cell: ({ endpointId }) => nameOf(endpointId) },
                    { key: 'state', head: 'State', cell: ({ state }) => <State state={state} /> },
                  ]}
                />
              )}
            </Section>
            <Payload eventId={event.id} />
          </>
        )}
      </Loaded>
    </>
  );
}
