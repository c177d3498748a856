import { useInfiniteQuery } from '@tanstack/react-query';
import { endpointVersionsQuery } from '../../api/queries.ts';
import { words } from '../../format/words.ts';
import { Loaded } from '../../ui/notice.tsx';
import { Section } from '../../ui/page.tsx';
import { ShowMore } from '../../ui/show-more.tsx';
import { State } from '../../ui/state.tsx';
import { Table } from '../../ui/tables/table.tsx';
import { Quiet, Time } from '../../ui/text.tsx';
import { Changes } from '../recover/changes.tsx';

/** The versions of an endpoint, each with what it changed. */
export function Versions({ endpointId }: { endpointId: string }) {
  const query = useInfiniteQuery(endpointVersionsQuery(endpointId));
  return (
    <Section title="Versions">
      <Loaded query={query} what="the versions">
        {({ pages }) => (
          <>
            <Table
              label="Versions"
              rows={pages.flatMap(({ items }) => items)}
              rowKey={({ version }) => String(version)}
              columns={[
                {
                  key: 'version',
                  head: 'Version',
                  cell: ({ version, current }) => (
                    <>
                      {version} {current ? <State state="enabled" text="In use" /> : null}
                    </>
                  ),
                },
                { key: 'at', head: 'Made', cell: ({ createdAt }) => <Time at={createdAt} whole /> },
                {
                  key: 'changed',
                  head: 'Changed',
                  cell: ({ version, changed, headersChanged }) =>
                    changed.length === 0 ? (
                      <Quiet>
                        {version === 1
                          ? 'its first'
                          : headersChanged
                            ? 'values of headers'
                            : 'nothing that is shown'}
                      </Quiet>
                    ) : (
                      <details>
                        <summary>
                          {changed.map(({ member }) => words(member)).join(', ')}
                          {headersChanged ? ', values of headers' : ''}
                        </summary>
                        <Changes changes={changed} />
                      </details>
                    ),
                },
              ]}
            />
            <ShowMore query={query} />
          </>
        )}
      </Loaded>
    </Section>
  );
}
