import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import type { Schema } from '../../api/client.ts';
import { useEndpointNames } from '../../api/endpoint-names.ts';
import { deliveryQuery } from '../../api/queries.ts';
import { bytes, whole } from '../../format/numbers.ts';
import { words } from '../../format/words.ts';
import { CopyButton } from '../../ui/copy.tsx';
import { Loaded } from '../../ui/notice.tsx';
import { Facts, PageHead, Section } from '../../ui/page.tsx';
import { State } from '../../ui/state.tsx';
import { IdText, Time } from '../../ui/text.tsx';
import { Advice } from './advice.tsx';
import { DeliveryActs } from './delivery-acts.tsx';
import { Payload } from './payload.tsx';
import { Waterfall } from './waterfall.tsx';

type Delivery = Schema<'DeliveryDetails'>;

/** One delivery: each attempt that was ever made of it, who owned it then, and what to do now. */
export function DeliveryScreen() {
  const { id } = useParams({ from: '/deliveries/$id' });
  const query = useQuery(deliveryQuery(id));
  return query.data ? (
    <Shown delivery={query.data} />
  ) : (
    <>
      <PageHead title="Delivery" beside={<IdText id={id} />} />
      <Loaded query={query} what="the delivery">
        {() => null}
      </Loaded>
    </>
  );
}

function Shown({ delivery }: { delivery: Delivery }) {
  const nameOf = useEndpointNames();
  const { event } = delivery;
  return (
    <>
      <PageHead
        title="Delivery"
        beside={
          <>
            <IdText id={delivery.id} />
            <CopyButton text={delivery.id} what="the id" />
            <State state={delivery.state} />
          </>
        }
        actions={<DeliveryActs delivery={delivery} />}
      />
      <Section title="What to do">
        <Advice deliveryId={delivery.id} state={delivery.state} />
      </Section>
      <Section title="About it">
        <Facts
          facts={{
            Endpoint: (
              <Link to="/endpoints/$id" params={{ id: delivery.endpointId }}>
                {nameOf(delivery.endpointId)}
              </Link>
            ),
            'First sent with':
              delivery.originalVersion === null
                ? 'not sent yet'
                : `version ${delivery.originalVersion} of the endpoint`,
            Type: event.type,
            Event: (
              <Link to="/events/$id" params={{ id: event.id }}>
                number {whole(event.number)}
              </Link>
            ),
            'Your id': event.externalId ?? undefined,
            Source: event.source ?? undefined,
            Key: event.key ?? undefined,
            Accepted: <Time at={delivery.acceptedAt} whole />,
            Since: <Time at={delivery.stateChangedAt} whole />,
            Attempts: whole(delivery.attempts),
            'Last failed for': delivery.faultCode
              ? [words(delivery.faultCode), delivery.httpStatus].filter(Boolean).join(' · ')
              : undefined,
            'Waits for':
              delivery.waitingFor.length === 0
                ? undefined
                : delivery.waitingFor.map(({ what }) => words(what)).join(', '),
            'Replay of': delivery.replayOf ? (
              <Link to="/deliveries/$id" params={{ id: delivery.replayOf }}>
                <IdText id={delivery.replayOf} />
              </Link>
            ) : undefined,
            Payload: bytes(delivery.payloadBytes),
          }}
        />
      </Section>
      <Section
        title="Attempts"
        aside={
          delivery.moreExecutions
            ? 'the newest 200 executions; older ones by their ids in the API'
            : undefined
        }
      >
        <Waterfall delivery={delivery} />
      </Section>
      <Payload eventId={event.id} />
    </>
  );
}
