import { answerOf } from '@redrive/client';
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { calls, type Schema } from '../../api/client.ts';
import { useMissing } from '../../api/me.tsx';
import { keysQuery } from '../../api/queries.ts';
import { sentence } from '../../format/words.ts';
import { Button } from '../../ui/button.tsx';
import { Confirm } from '../../ui/confirm.tsx';
import { Loaded, Notice } from '../../ui/notice.tsx';
import { Section } from '../../ui/page.tsx';
import { ShowMore } from '../../ui/show-more.tsx';
import { State } from '../../ui/state.tsx';
import { Table } from '../../ui/tables/table.tsx';
import { Time } from '../../ui/text.tsx';
import { keyState } from './key-state.ts';
import { NewKey } from './new-key.tsx';

type Key = Schema<'Key'>;

const TONES = { good: 'good', expired: 'bad', revoked: 'still' } as const;

/** The keys of the tenant: made, seen, revoked. */
export function Keys() {
  const missing = useMissing('write:keys');
  const query = useInfiniteQuery({ ...keysQuery, enabled: missing === undefined });
  const queries = useQueryClient();
  const [revoked, setRevoked] = useState<Key>();
  const [making, setMaking] = useState(false);
  const revoke = useMutation({
    mutationFn: (id: string) => answerOf(calls.DELETE('/api/v1/keys/{id}', { params: { path: { id } } })),
    onSuccess: () => {
      setRevoked(undefined);
      return queries.invalidateQueries({ queryKey: ['keys'] });
    },
  });
  return (
    <Section
      title="Keys"
      aside={
        <Button small needs="write:keys" onClick={() => setMaking(true)}>
          New key…
        </Button>
      }
    >
      {missing === undefined ? (
        <Loaded query={query} what="the keys">
          {({ pages }) => (
            <>
              <Table
                label="Keys"
                rows={pages.flatMap(({ items }) => items)}
                rowKey={({ id }) => id}
                columns={[
                  { key: 'name', head: 'Name', cell: ({ name }) => name },
                  {
                    key: 'scopes',
                    head: 'May do',
                    wide: true,
                    cell: ({ scopes, grant }) => grant ?? scopes.join(', '),
                  },
                  { key: 'made', head: 'Made', wide: true, cell: ({ createdAt }) => <Time at={createdAt} /> },
                  {
                    key: 'ends',
                    head: 'Expires',
                    wide: true,
                    cell: ({ expiresAt }) => <Time at={expiresAt} />,
                  },
                  {
                    key: 'state',
                    head: 'State',
                    cell: (key) => {
                      const state = keyState(key, new Date());
                      return <State state={state} text={sentence(state)} tone={TONES[state]} />;
                    },
                  },
                  {
                    key: 'revoke',
                    head: <span className="hidden-text">Revoke</span>,
                    right: true,
                    cell: (key) =>
                      key.revokedAt === null ? (
                        <Button
                          small
                          look="danger"
                          aria-label={`Revoke ${key.name}`}
                          onClick={() => setRevoked(key)}
                        >
                          Revoke…
                        </Button>
                      ) : null,
                  },
                ]}
              />
              <ShowMore query={query} />
            </>
          )}
        </Loaded>
      ) : (
        <Notice tone="care" title="This session may not see keys">
          <p>It lacks the scope {missing}.</p>
        </Notice>
      )}
      <Confirm
        open={revoked !== undefined}
        onClose={() => setRevoked(undefined)}
        onConfirm={() => revoked && revoke.mutate(revoked.id)}
        title={`Revoke ${revoked?.name ?? ''}?`}
        verb="Revoke"
        deliveries={0}
        confirmation="sentence"
        danger
        busy={revoke.isPending}
        error={revoke.error}
      >
        <p>Its next call is refused, and sessions that were opened with it end. That cannot be taken back.</p>
      </Confirm>
      {making ? <NewKey onClose={() => setMaking(false)} /> : null}
    </Section>
  );
}
