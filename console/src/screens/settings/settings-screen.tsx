import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useMe, useMissing } from '../../api/me.tsx';
import { endpointsQuery, jwksQuery } from '../../api/queries.ts';
import { Loaded, Notice } from '../../ui/notice.tsx';
import { Facts, PageHead, Section } from '../../ui/page.tsx';
import { State } from '../../ui/state.tsx';
import { Table } from '../../ui/tables/table.tsx';
import { Actor, IdText, Quiet, Time } from '../../ui/text.tsx';
import { Keys } from './keys.tsx';
import { Policy } from './policy.tsx';

/** Who one is, the rules of the tenant, its keys, and who hears of what happens. */
export function SettingsScreen() {
  const me = useMe();
  return (
    <>
      <PageHead title="Settings" />
      <Section title="This session">
        <Facts
          whole={['May do']}
          facts={{
            Tenant: me.tenant?.handle,
            'Id of the tenant': me.tenant ? <IdText id={me.tenant.id} whole /> : undefined,
            'Signed in as': <Actor actor={me.actor} />,
            Key: me.keyId === null ? undefined : <IdText id={me.keyId} whole />,
            'May do': me.scopes.join(', '),
          }}
        />
      </Section>
      <Policy />
      <Keys />
      <Listeners />
      <SigningKeys />
    </>
  );
}

/** Types of events of Redrive's own, which go to endpoints that name them. */
const OURS = /^(operation|outage)\./;

function Listeners() {
  const missing = useMissing('read:endpoints');
  const query = useQuery({ ...endpointsQuery, enabled: missing === undefined });
  return (
    <Section title="Who hears of operations and outages">
      {missing === undefined ? (
        <Loaded query={query} what="the endpoints">
          {(endpoints) => {
            const found = endpoints.filter(({ eventTypes }) => eventTypes?.some((type) => OURS.test(type)));
            return found.length === 0 ? (
              <Quiet>
                Nobody yet. An endpoint that names a type such as <code>operation.halted</code> in its{' '}
                <code>eventTypes</code> gets it.
              </Quiet>
            ) : (
              <Table
                label="Endpoints that hear of operations and outages"
                rows={found}
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
                  {
                    key: 'types',
                    head: 'Types',
                    cell: ({ eventTypes }) => eventTypes?.filter((type) => OURS.test(type)).join(', '),
                  },
                  { key: 'state', head: 'State', cell: ({ state }) => <State state={state} /> },
                ]}
              />
            );
          }}
        </Loaded>
      ) : (
        <Notice tone="care" title="This session may not see endpoints">
          <p>It lacks the scope {missing}.</p>
        </Notice>
      )}
    </Section>
  );
}

function SigningKeys() {
  const query = useQuery(jwksQuery);
  return (
    <Section
      title="Keys that sign reports"
      aside={<a href="/.well-known/redrive/jwks.json">The key set to save</a>}
    >
      <Loaded query={query} what="the keys">
        {({ keys }) => (
          <Table
            label="Signing keys"
            rows={keys}
            rowKey={({ kid }) => kid}
            columns={[
              { key: 'kid', head: 'Key', cell: ({ kid }) => <IdText id={kid} whole /> },
              { key: 'since', head: 'Since', cell: ({ createdAt }) => <Time at={createdAt} /> },
              {
                key: 'state',
                head: 'State',
                cell: ({ retiredAt, revokedAt }) =>
                  revokedAt ? (
                    <State state="failed" text="Revoked" />
                  ) : retiredAt ? (
                    <State state="ignored" text="Retired" />
                  ) : (
                    <State state="enabled" text="Signs" />
                  ),
              },
            ]}
          />
        )}
      </Loaded>
    </Section>
  );
}
