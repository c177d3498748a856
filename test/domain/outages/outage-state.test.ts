import { describe, expect, test } from '@jest/globals';
import {
  OUTAGE_CAUSES,
  OUTAGE_ENDS,
  OUTAGE_STATES,
  OUTAGE_TRANSITIONS,
  type OutageState,
} from '../../../src/domain/outages/outage-state.ts';
import { useStore } from '../../support/store/use-store.ts';
import { expectSameTransitions, filesThatChangeStatesOf } from '../../support/transitions.ts';

const store = useStore();

describe('the transitions of outages', () => {
  test('are the same in the domain and in the schema, for every pair of states', async () => {
    await expectSameTransitions(store, 'outage_may_become', OUTAGE_TRANSITIONS);
  });

  test('are kept by the database, whichever statement would change a state', async () => {
    const tenant = await store.newTenant();
    const endpointId = await store.newEndpoint(tenant);
    const refused = async (from: OutageState, to: OutageState) => {
      const client = await store.pool.connect();
      const columns = (state: OutageState) => [
        state !== 'open',
        state === 'closed' || state === 'dismissed',
        state === 'dismissed' ? 'dismissed' : 'nothing_left',
      ];
      const changed = `state = $2, recovered_at = case when $3 then now() end, on_recovered = case when $3 then 'none' end,
        ended_at = case when $4 then now() end, ended_for = case when $4 then $5 end`;
      try {
        await client.query('begin');
        const { rows } = await client.query(
          `insert into outages (tenant_id, endpoint_id, cause, began_at, reaches_back_to) values ($1, $2, 'gone', now(), now())
           returning id`,
          [tenant.id, endpointId],
        );
        const [{ id }] = rows;
        await client.query(`set local session_replication_role = replica`);
        await client.query(`update outages set ${changed} where id = $1`, [id, from, ...columns(from)]);
        await client.query(`set local session_replication_role = origin`);
        await client.query(`update outages set ${changed} where id = $1`, [id, to, ...columns(to)]);
        return undefined;
      } catch (error) {
        return (error as { code?: string }).code;
      } finally {
        await client.query('rollback');
        client.release();
      }
    };
    for (const from of OUTAGE_STATES)
      for (const to of OUTAGE_STATES.filter((other) => other !== from))
        expect([from, to, await refused(from, to)]).toEqual([
          from,
          to,
          OUTAGE_TRANSITIONS[from].includes(to) ? undefined : 'RD012',
        ]);
  });

  test('are made by one file of statements', async () => {
    expect(await filesThatChangeStatesOf('outages')).toEqual(['store/outages/outage-states.ts']);
  });

  test.each([
    ['cause', OUTAGE_CAUSES],
    ['state', OUTAGE_STATES],
    ['ended_for', OUTAGE_ENDS],
  ])('the schema knows each %s of the domain, and no other', async (column, known) => {
    const [{ text }] = await store.rows(
      `select pg_get_constraintdef(c.oid) as text from pg_constraint c
       where c.conrelid = 'outages'::regclass and c.conname = $1`,
      [`outages_${column}_check`],
    );
    expect([...text.matchAll(/'(\w+)'/g)].map(([, name]) => name).sort()).toEqual([...known].sort());
  });
});
