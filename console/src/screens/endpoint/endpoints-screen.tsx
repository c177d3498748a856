import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { endpointsQuery, MOST_ENDPOINTS } from '../../api/queries.ts';
import { inputText } from '../../api/search-input.ts';
import { orMore, rate, whole } from '../../format/numbers.ts';
import { sentence, words } from '../../format/words.ts';
import { useUrl } from '../../shell/url.ts';
import { Field } from '../../ui/field.tsx';
import { Empty, Loaded } from '../../ui/notice.tsx';
import { PageHead } from '../../ui/page.tsx';
import { State } from '../../ui/state.tsx';
import { Table } from '../../ui/tables/table.tsx';
import { Quiet } from '../../ui/text.tsx';
import { curlFor } from '../recover/curl.ts';

/** A table of more is slow to draw. */
const SHOWN = 500;

/** All endpoints of the tenant. */
export function EndpointsScreen() {
  const [search, change] = useUrl();
  const text = inputText(search.text) ?? '';
  const query = useQuery({ ...endpointsQuery, refetchInterval: 10_000 });
  return (
    <>
      <PageHead title="Endpoints" about="Where deliveries go." />
      <Loaded query={query} what="the endpoints">
        {(all) => {
          const found = all.filter(
            ({ handle, url, id }) => handle.includes(text) || url.includes(text) || id === text,
          );
          return all.length === 0 ? (
            <Empty
              title="There is no endpoint yet"
              command={curlFor(location.origin, 'POST', '/api/v1/endpoints', {
                handle: 'warehouse',
                url: 'https://example.com/hooks',
              })}
            >
              <p>Make the first one. Its signing secret is shown once, in the answer.</p>
            </Empty>
          ) : (
            <>
              <Field
                label="Handle or address"
                data-filter
                value={text}
                onValue={(value) => change({ text: value === '' ? undefined : value }, { replace: true })}
              />
              <p role="status">
                <Quiet>
                  {whole(found.length)} of {orMore(all.length, all.length >= MOST_ENDPOINTS)}
                </Quiet>
              </p>
              <Table
                label="Endpoints"
                rows={found.slice(0, SHOWN)}
                rowKey={({ id }) => id}
                columns={[
                  {
                    key: 'handle',
                    head: 'Endpoint',
                    cell: ({ id, handle }) => (
                      <Link to="/endpoints/$id" params={{ id }}>
                        {handle}
                      </Link>
                    ),
                  },
                  { key: 'state', head: 'State', cell: ({ state }) => <State state={state} /> },
                  {
                    key: 'circuit',
                    head: 'Circuit',
                    cell: ({ circuit }) => (
                      <State
                        state={circuit}
                        text={circuit === 'open' ? 'Open: left alone' : sentence(circuit)}
                      />
                    ),
                  },
                  {
                    key: 'waits',
                    head: 'Deliveries to it wait for',
                    wide: true,
                    cell: ({ waitingFor }) =>
                      waitingFor.map(({ what }) => words(what)).join(', ') || <Quiet>nothing</Quiet>,
                  },
                  {
                    key: 'rate',
                    head: 'Rate',
                    right: true,
                    wide: true,
                    cell: ({ ratePerSecond }) => (ratePerSecond === null ? 'no limit' : rate(ratePerSecond)),
                  },
                  { key: 'url', head: 'Address', wide: true, cell: ({ url }) => url },
                ]}
              />
              {found.length > SHOWN ? (
                <p>
                  <Quiet>and {whole(found.length - SHOWN)} more: write a part of a handle or address.</Quiet>
                </p>
              ) : null}
            </>
          );
        }}
      </Loaded>
    </>
  );
}
