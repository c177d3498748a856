import { answerOf } from '@redrive/client';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { calls } from '../api/client.ts';
import { Empty, Loaded } from '../ui/notice.tsx';
import { Table } from '../ui/tables/table.tsx';
import styles from './shell.module.css';

/** Asks a session of the installation which tenant it is about; that stands in the URL from then on. */
export function ChooseTenant() {
  const query = useQuery({
    queryKey: ['tenants'],
    queryFn: ({ signal }) =>
      answerOf(calls.GET('/api/v1/tenants', { params: { query: { limit: 500 } }, signal })),
  });
  return (
    <main className={styles.alone}>
      <h1>Which tenant?</h1>
      <p>This session is of the whole installation. A screen shows one tenant at a time.</p>
      <Loaded query={query} what="the tenants">
        {({ items }) =>
          items.length === 0 ? (
            <Empty
              title="There is no tenant yet"
              command={`curl -X POST ${location.origin}/api/v1/tenants -H "authorization: Bearer $REDRIVE_ADMIN_KEY" -H "content-type: application/json" -d '{"handle":"acme"}'`}
            >
              <p>Make the first one:</p>
            </Empty>
          ) : (
            <Table
              label="Tenants"
              rows={items}
              rowKey={({ id }) => id}
              columns={[
                {
                  key: 'handle',
                  head: 'Handle',
                  cell: ({ handle }) => (
                    <Link to="." search={(before) => ({ ...before, tenant: handle })}>
                      {handle}
                    </Link>
                  ),
                },
                { key: 'name', head: 'Name', cell: ({ name }) => name },
              ]}
            />
          )
        }
      </Loaded>
    </main>
  );
}
