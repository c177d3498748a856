import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { usePolling } from '../../api/live.ts';
import { useMe, useMissing } from '../../api/me.tsx';
import { operationQuery, operationsQuery } from '../../api/queries.ts';
import { orMore } from '../../format/numbers.ts';
import { Button } from '../../ui/button.tsx';
import { Empty, Loaded, Loading, Notice } from '../../ui/notice.tsx';
import { PageHead, Section } from '../../ui/page.tsx';
import { IdText } from '../../ui/text.tsx';
import type { Operation } from '../operation/operation-screen.tsx';
import { ApprovalPanel } from './approval-panel.tsx';

/** Each is read and drawn whole. */
const AT_ONCE = 20;

/** What waits for somebody's approval: yours first. */
export function ApprovalsScreen() {
  const me = useMe();
  const [shown, setShown] = useState(AT_ONCE);
  const missing = useMissing('approve:retries');
  const query = useInfiniteQuery({
    ...operationsQuery({ state: ['awaiting_approval'] }),
    refetchInterval: usePolling(5_000),
  });
  return (
    <>
      <PageHead title="Approvals" about="What is approved is exactly what its plan shows, by its hash." />
      {missing === undefined ? null : (
        <Notice tone="care" title="You can look, but not approve">
          <p>This session lacks the scope {missing}.</p>
        </Notice>
      )}
      <Loaded query={query} what="the approvals">
        {({ pages }) => {
          const waiting = pages.flatMap(({ items }) => items);
          const [own, others] = [
            waiting.filter(({ requestedBy }) => requestedBy === me.actor),
            waiting.filter(({ requestedBy }) => requestedBy !== me.actor),
          ];
          return waiting.length === 0 ? (
            <Empty
              title="Nothing waits for approval"
              {...(me.policy === null
                ? {
                    command: `curl -X PUT ${location.origin}/api/v1/policy -H "authorization: Bearer $REDRIVE_ADMIN_KEY" -H "redrive-tenant: ${me.tenant?.handle}" -H "content-type: application/json" -d '{"approveAbove":1000,"approvers":{"count":1}}'`,
                  }
                : {})}
            >
              <p>
                {me.policy === null
                  ? 'No policy asks for any. An administrator sets one, here or in the settings:'
                  : 'Operations that the policy holds appear here.'}
              </p>
            </Empty>
          ) : (
            <>
              {[...others, ...own].slice(0, shown).map(({ id }) => (
                <Waiting key={id} id={id} />
              ))}
              {waiting.length > shown || query.hasNextPage ? (
                <p>
                  <Button
                    busy={query.isFetchingNextPage}
                    onClick={() => {
                      setShown(shown + AT_ONCE);
                      if (query.hasNextPage && waiting.length <= shown + AT_ONCE) void query.fetchNextPage();
                    }}
                  >
                    {`Show more (${orMore(Math.max(0, waiting.length - shown), query.hasNextPage)} left)`}
                  </Button>
                </p>
              ) : null}
            </>
          );
        }}
      </Loaded>
    </>
  );
}

function Waiting({ id }: { id: string }) {
  const query = useQuery(operationQuery(id));
  if (!query.data)
    return query.isPending ? (
      <Loading what="what waits" />
    ) : (
      <Loaded query={query} what="what waits">
        {() => null}
      </Loaded>
    );
  const operation: Operation = query.data;
  return (
    <Section
      title={operation.kind === 'retry' ? 'A retry' : 'A replay'}
      aside={
        <Link to="/operations/$id" params={{ id }}>
          <IdText id={id} />
        </Link>
      }
    >
      {operation.approval ? (
        <ApprovalPanel operation={operation} approval={operation.approval} />
      ) : (
        <p>
          It waits for approval.{' '}
          <Link to="/operations/$id" params={{ id }}>
            Open it.
          </Link>
        </p>
      )}
    </Section>
  );
}
