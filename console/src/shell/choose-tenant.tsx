import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { tenantsQuery } from '../api/queries.ts';
import { Empty, Loaded } from '../ui/notice.tsx';
import { ShowMore } from '../ui/show-more.tsx';
import { Table } from '../ui/tables/table.tsx';
import styles from './shell.module.css';

/** Asks a session of the installation which tenant it is about; that stands in the URL from then on. */
export function ChooseTenant() {
  const query = useInfiniteQuery(tenantsQuery);
  return (
    <main className={styles.alone}>
      <h1>Which tenant?</h1>
      <p>This session is of the whole installation. A screen shows one tenant at a time.</p>
      <Loaded query={query} what="the tenants">
        {({ pages }) =>
          pages[0]?.items.length === 0 ? (
            <Empty
              title="There is no tenant yet"
              command={`curl -X POST ${location.origin}/api/v1/tenants -H "authorization: Bearer $REDRIVE_ADMIN_KEY" -H "content-type: application/json" -d '{"handle":"acme"}'`}
            >
              <p>Make the first one:</p>
            </Empty>
          ) : (
            <>
              <Table
                label="Tenants"
                rows={pages.flatMap(({ items }) => items)}
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
              <ShowMore query={query} />
            </>
          )
        }
      </Loaded>
    </main>
  );
}
