import { describe, expect, test } from '@jest/globals';
import {
  OPERATION_ENDS,
  OPERATION_STATES,
  OPERATION_TRANSITIONS,
  type OperationState,
} from '../../../src/domain/operations/operation-state.ts';
import { useStore } from '../../support/store/use-store.ts';
import { expectSameTransitions, filesThatChangeStatesOf } from '../../support/transitions.ts';

const store = useStore();

describe('the transitions of operations', () => {
  test('are the same in the domain and in the schema, for every pair of states', async () => {
    await expectSameTransitions(store, 'operation_may_become', OPERATION_TRANSITIONS);
  });

  test('are kept by the database, whichever statement would change a state', async () => {
    const tenant = await store.newTenant();
    const { operationId } = await store.retry(tenant, { deliveryIds: [] });
    const refused = async (from: OperationState, to: OperationState) => {
      const client = await store.pool.connect();
      try {
        await client.query('begin');
        await client.query(`set local session_replication_role = replica`);
        await client.query(
          `update operations set state = $2, control = 'pause', halt = '{}', report = '{}',
             closed_at = case when $3 then now() end, next_event_at = case when not $3 then now() end where id = $1`,
          [operationId, from, (OPERATION_ENDS as readonly string[]).includes(from)],
        );
        await client.query(`set local session_replication_role = origin`);
        await client.query(
          `update operations set state = $2, closed_at = case when $3 then now() end,
             next_event_at = case when not $3 then now() end where id = $1`,
          [operationId, to, (OPERATION_ENDS as readonly string[]).includes(to)],
        );
        return undefined;
      } catch (error) {
        return (error as { code?: string }).code;
      } finally {
        await client.query('rollback');
        client.release();
      }
    };
    for (const from of OPERATION_STATES)
      for (const to of OPERATION_STATES.filter((other) => other !== from))
        expect([from, to, await refused(from, to)]).toEqual([
          from,
          to,
          OPERATION_TRANSITIONS[from].includes(to) ? undefined : 'RD003',
        ]);
  });

  test('are made by one file of statements', async () => {
    expect(await filesThatChangeStatesOf('operations')).toEqual(['store/operations/operation-states.ts']);
  });
});
