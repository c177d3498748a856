import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Schema } from '../../api/client.ts';
import { useEndpointNames } from '../../api/endpoint-names.ts';
import { usePolling } from '../../api/live.ts';
import { outageQuery, outagesQuery } from '../../api/queries.ts';
import type { SearchInput } from '../../api/search-input.ts';
import { whole } from '../../format/numbers.ts';
import { sentence } from '../../format/words.ts';
import { buttonClass } from '../../ui/button.tsx';
import { Loaded, Notice } from '../../ui/notice.tsx';
import { Section } from '../../ui/page.tsx';
import { ShowMore } from '../../ui/show-more.tsx';
import { State } from '../../ui/state.tsx';
import { Count, Quiet, Time } from '../../ui/text.tsx';
import styles from './now.module.css';

/** A card for each outage that still has something to be done: where, why, when, how many. */
export function Outages() {
  const query = useInfiniteQuery({
    ...outagesQuery({ state: ['open', 'recovered'] }),
    refetchInterval: usePolling(5_000),
  });
  return (
    <Section title="Outages">
      <Loaded query={query} what="the outages">
        {({ pages }) =>
          pages[0]?.items.length === 0 ? (
            <Notice tone="good" title="No endpoint is down, and none has left anything to recover" />
          ) : (
            <>
              <div className={styles.cards}>
                {pages
                  .flatMap(({ items }) => items)
                  .map((outage) => (
                    <Card key={outage.id} outage={outage} />
                  ))}
              </div>
              <ShowMore query={query} />
            </>
          )
        }
      </Loaded>
    </Section>
  );
}

function Card({ outage }: { outage: Schema<'OutageSummary'> }) {
  const { id, endpointId, cause, state, window } = outage;
  const nameOf = useEndpointNames();
  const { data } = useQuery({
    ...outageQuery(id),
    // The stream tells of the outage, not of each delivery in it.
    refetchInterval: usePolling(10_000) || 30_000,
  });
  const states = data?.deliveries.byState;
  const left = states ? (states.failed ?? 0) + (states.unknown ?? 0) + (states.ignored ?? 0) : undefined;
  const plan = data?.operations.find(({ planId, state: at }) => planId !== null && at === 'planned')?.planId;
  const down = state === 'open';
  return (
    <article className={`${styles.card} ${down ? '' : styles.back}`}>
      <div className={styles.cardHead}>
        <h3>
          <Link to="/endpoints/$id" params={{ id: endpointId }}>
            {nameOf(endpointId)}
          </Link>
        </h3>
        <State state={state} text={down ? 'Still failing' : 'Back'} tone={down ? 'bad' : 'good'} />
      </div>
      <p>
        {sentence(cause)}, from <Time at={window.from} /> {window.to === null ? 'until now' : 'to '}
        {window.to === null ? null : <Time at={window.to} />}
      </p>
      <p>
        {left === undefined ? (
          'counting…'
        ) : (
          <>
            <strong>
              <Link
                to="/failures"
                search={leftBy(outage)}
                aria-label={`${whole(left)} not delivered to ${nameOf(endpointId)}`}
              >
                <Count of={left} basis={data?.deliveries.basis} />
              </Link>
            </strong>{' '}
            not delivered
          </>
        )}
      </p>
      <p>
        {left === 0 ? (
          <Quiet>{down ? 'Nothing is left to recover so far.' : 'Nothing is left to recover.'}</Quiet>
        ) : plan ? (
          <Link
            to="/recover"
            search={{ plan }}
            className={buttonClass('primary')}
            aria-label={`Look at the plan for ${nameOf(endpointId)}`}
          >
            Look at the plan
          </Link>
        ) : (
          <Link
            to="/recover"
            search={{ outage: id }}
            className={buttonClass(down ? undefined : 'primary')}
            aria-label={`Recover ${nameOf(endpointId)}`}
          >
            Recover…
          </Link>
        )}
      </p>
    </article>
  );
}

/** An attempt takes no longer than an endpoint can be given to answer. */
const LONGEST_ATTEMPT_MS = 60_000;

/**
 * The filter whose list is what an outage left: what was last tried in it. Its window begins where the first attempt in
 * vain was written, and others began a moment before. Where the endpoint was switched off there was no attempt: what was
 * accepted meanwhile is left.
 */
function leftBy({ endpointId, cause, window }: Schema<'OutageSummary'>): SearchInput {
  const lastAttemptAfter = new Date(Date.parse(window.from) - LONGEST_ATTEMPT_MS).toISOString();
  return {
    endpointIds: [endpointId],
    state: ['failed', 'unknown', 'ignored'],
    ...(cause === 'disabled' ? { from: window.from } : { lastAttemptAfter }),
    to: window.to ?? undefined,
  };
}
