import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useEndpointNames } from '../../api/endpoint-names.ts';
import { outageQuery } from '../../api/queries.ts';
import { whole } from '../../format/numbers.ts';
import { sentence } from '../../format/words.ts';
import { Loaded } from '../../ui/notice.tsx';
import { Facts } from '../../ui/page.tsx';
import { State } from '../../ui/state.tsx';
import { Count, Time } from '../../ui/text.tsx';

const SHOWN = 3;

/** The outage that a recovery is about. */
export function OutageBox({ id }: { id: string }) {
  const query = useQuery(outageQuery(id));
  const nameOf = useEndpointNames();
  return (
    <Loaded query={query} what="the outage">
      {({ endpointId, cause, state, window, deliveries, operations }) => (
        <Facts
          facts={{
            Endpoint: (
              <Link to="/endpoints/$id" params={{ id: endpointId }}>
                {nameOf(endpointId)}
              </Link>
            ),
            Cause: sentence(cause),
            State: <State state={state} text={state === 'open' ? 'Still failing' : sentence(state)} />,
            From: <Time at={window.from} whole />,
            To: window.to === null ? 'now' : <Time at={window.to} whole />,
            'Deliveries of its window': <Count of={deliveries.count} basis={deliveries.basis} />,
            'Not delivered': (
              <Count
                of={
                  (deliveries.byState.failed ?? 0) +
                  (deliveries.byState.unknown ?? 0) +
                  (deliveries.byState.ignored ?? 0)
                }
                basis={deliveries.basis}
              />
            ),
            'Plans and operations':
              operations.length === 0
                ? undefined
                : [
                    ...operations.slice(0, SHOWN).map(({ operationId, planId, state: at }) => (
                      <div key={operationId}>
                        {planId !== null && at === 'planned' ? (
                          <Link to="/recover" search={{ plan: planId }}>
                            Plan that was made for it
                          </Link>
                        ) : (
                          <Link to="/operations/$id" params={{ id: operationId }}>
                            {sentence(at)}
                          </Link>
                        )}
                      </div>
                    )),
                    operations.length > SHOWN ? (
                      <div key="more">and {whole(operations.length - SHOWN)} more</div>
                    ) : null,
                  ],
          }}
        />
      )}
    </Loaded>
  );
}
