import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Schema } from '../../api/client.ts';
import { useMissing } from '../../api/me.tsx';
import { auditQuery, checkpointsQuery } from '../../api/queries.ts';
import { inputText } from '../../api/search-input.ts';
import { shortDigest } from '../../format/ids.ts';
import { counted, whole } from '../../format/numbers.ts';
import { useUrl } from '../../shell/url.ts';
import { type Chip, Chips } from '../../ui/chips.tsx';
import { DownloadButton } from '../../ui/download.tsx';
import { Empty, Loaded, Notice } from '../../ui/notice.tsx';
import { PageHead, Section } from '../../ui/page.tsx';
import { ShowMore } from '../../ui/show-more.tsx';
import { Table } from '../../ui/tables/table.tsx';
import { Actor, IdText, Time, Words } from '../../ui/text.tsx';
import { isLinked } from './chain.ts';

type Entry = Schema<'AuditEntry'>;

const MEMBERS = ['actor', 'action', 'target', 'from', 'to'] as const;

/** Who did what: a chain in which nothing can be changed unseen. */
export function AuditScreen() {
  const missing = useMissing('read:audit');
  return (
    <>
      <PageHead
        title="Audit"
        about="Every act of a person or a client, chained by hashes. A copy of its head leaves with each signed report."
        actions={
          missing === undefined ? (
            <DownloadButton path="/api/v1/audit" accept="application/x-ndjson" name="audit.ndjson">
              Download all of it
            </DownloadButton>
          ) : null
        }
      />
      {missing === undefined ? (
        <>
          <Checkpoints />
          <Entries />
        </>
      ) : (
        <Notice tone="care" title="This session may not see the audit">
          <p>It lacks the scope {missing}. Sign in with a key that has it, or ask an administrator.</p>
        </Notice>
      )}
    </>
  );
}

function Checkpoints() {
  const query = useQuery(checkpointsQuery);
  return (
    <Section title="Checkpoints" aside="signed heads of the chain; compare one that you kept">
      <Loaded query={query} what="the checkpoints">
        {({ items }) =>
          items.length === 0 ? (
            <p>None was signed yet: that happens once an hour, and with each report.</p>
          ) : (
            <Table
              label="Checkpoints"
              rows={items.slice(0, 5)}
              rowKey={({ number }) => String(number)}
              columns={[
                { key: 'number', head: 'Up to entry', right: true, cell: ({ number }) => whole(number) },
                { key: 'at', head: 'Signed', cell: ({ at }) => <Time at={at} whole /> },
                {
                  key: 'hash',
                  head: 'Hash',
                  wide: true,
                  cell: ({ hash }) => <code title={hash}>{shortDigest(hash)}</code>,
                },
              ]}
            />
          )
        }
      </Loaded>
    </Section>
  );
}

function Entries() {
  const [search, change] = useUrl();
  const filter = Object.fromEntries(
    MEMBERS.flatMap((member) => {
      const value = inputText(search[member]);
      return value === undefined ? [] : [[member, value]];
    }),
  );
  const query = useInfiniteQuery(auditQuery(filter));
  const chips = Object.entries(filter).map(
    ([member, value]): Chip => ({
      key: member,
      name: member,
      value,
      remove: () => change({ [member]: undefined }),
    }),
  );
  const narrow = (member: (typeof MEMBERS)[number], value: string, shown: React.ReactNode) => (
    <Link to="/audit" search={(before: object) => ({ ...before, [member]: value })} resetScroll={false}>
      {shown}
    </Link>
  );
  return (
    <Section title="Acts" aside={chips.length > 0 ? <Chips chips={chips} /> : undefined}>
      <Loaded query={query} what="the audit">
        {({ pages }) => {
          const entries = pages.flatMap(({ items }) => items);
          if (entries.length === 0)
            return (
              <Empty title={chips.length > 0 ? 'No act is like this' : 'Nobody has done anything yet'}>
                <p>Acts appear here within a second.</p>
              </Empty>
            );
          return (
            <>
              {chips.length > 0 ? null : <Chain entries={entries} />}
              <Table
                label="Acts"
                rows={entries}
                rowKey={({ id }) => id}
                columns={[
                  {
                    key: 'number',
                    head: 'No.',
                    right: true,
                    wide: true,
                    cell: ({ number }) => whole(number),
                  },
                  { key: 'at', head: 'When', cell: ({ at }) => <Time at={at} /> },
                  {
                    key: 'actor',
                    head: 'Who',
                    cell: ({ actor }) => narrow('actor', actor, <Actor actor={actor} />),
                  },
                  { key: 'action', head: 'Did', cell: ({ action }) => narrow('action', action, action) },
                  {
                    key: 'target',
                    head: 'To',
                    cell: ({ target }) => narrow('target', target, <IdText id={target} />),
                  },
                  {
                    key: 'words',
                    head: 'Words',
                    wide: true,
                    cell: ({ words }) => (
                      <Words text={[words?.ticket, words?.reason].filter(Boolean).join(' · ') || '–'} />
                    ),
                  },
                  {
                    key: 'detail',
                    head: 'Detail',
                    wide: true,
                    cell: ({ detail }) =>
                      Object.keys(detail).length === 0 ? (
                        '–'
                      ) : (
                        <details>
                          <summary>{counted(Object.keys(detail).length, 'member')}</summary>
                          <code>{JSON.stringify(detail)}</code>
                        </details>
                      ),
                  },
                ]}
              />
              <ShowMore query={query} />
            </>
          );
        }}
      </Loaded>
    </Section>
  );
}

function Chain({ entries }: { entries: readonly Entry[] }) {
  const linked = isLinked(entries);
  return linked ? (
    <Notice tone="good" title={`These ${whole(entries.length)} entries are linked without a gap`}>
      <p>Each names the hash of the one before it. Download all of it to verify the hashes themselves.</p>
    </Notice>
  ) : (
    <Notice tone="bad" title="There is a gap in the chain" live>
      <p>An entry does not name the hash of the one before it. Download all of it and verify it offline.</p>
    </Notice>
  );
}
