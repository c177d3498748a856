import { beforeAll, describe, expect, test } from '@jest/globals';
import { OPERATION_ENDS, OPERATION_STATES } from '../../../src/domain/operations/operation-state.ts';
import { EXCLUSION_REASONS } from '../../../src/domain/operations/selection.ts';
import { DELIVERY_STATES } from '../../../src/domain/sending/delivery-state.ts';
import {
  EXECUTION_STATES,
  EXECUTION_TRANSITIONS,
  type ExecutionState,
  isOpen,
} from '../../../src/domain/sending/execution-state.ts';
import { useStore } from '../../support/store/use-store.ts';
import { expectSameTransitions } from '../../support/transitions.ts';

const store = useStore();
let deliveryId: string;

/** The values that a CHECK of the form `column in (…)` allows. */
async function allowed(table: string, column: string): Promise<string[]> {
  const [{ definition }] = await store.rows(
    `select pg_get_constraintdef(oid) as definition from pg_constraint where conrelid = $1::regclass and conname = $2`,
    [table, `${table}_${column}_check`],
  );
  return [...definition.matchAll(/'([a-z_]+)'::text/g)].map((match) => match[1]).sort();
}

describe('the lists of the domain and those of the schema', () => {
  test('name the same states and reasons', async () => {
    expect(
      [...(await allowed('queue', 'state')), ...(await allowed('execution_records', 'outcome'))].sort(),
    ).toEqual([...EXECUTION_STATES].sort());
    expect(await allowed('deliveries', 'state')).toEqual([...DELIVERY_STATES].sort());
    expect(await allowed('operations', 'state')).toEqual([...OPERATION_STATES].sort());
    expect(await allowed('exclusions', 'reason')).toEqual([...EXCLUSION_REASONS].sort());
  });

  test('call the same states open, and the same ones an end', async () => {
    expect(await allowed('queue', 'state')).toEqual(EXECUTION_STATES.filter(isOpen).sort());
    const [{ definition }] = await store.rows(
      `select pg_get_constraintdef(oid) as definition from pg_constraint where conrelid = 'operations'::regclass
         and pg_get_constraintdef(oid) like '%(closed_at IS NOT NULL)%state%' or conrelid = 'operations'::regclass
         and pg_get_constraintdef(oid) like '%state%(closed_at IS NOT NULL)%'`,
    );
    const ends = [...definition.matchAll(/'([a-z_]+)'::text/g)].map((match) => match[1]);
    expect(ends.sort()).toEqual([...OPERATION_ENDS].sort());
  });

  test('agree on every pair of states', async () => {
    await expectSameTransitions(store, 'execution_may_become', EXECUTION_TRANSITIONS);
  });
});

const JOINS = ['nestloop', 'hashjoin', 'mergejoin'];

describe('a statement that changes the state of an execution', () => {
  const PAIRS = EXECUTION_STATES.flatMap((from) =>
    EXECUTION_STATES.filter((to) => to !== from).map((to) => ({ from, to })),
  );

  beforeAll(async () => {
    const tenant = await store.newTenant();
    await store.newEndpoint(tenant);
    deliveryId = (await store.ingest(tenant, 1))[0] ?? '';
    await store.rows('delete from executions');
  });

  /** Makes an execution in a state, moves it to another, and undoes both; the error code, or undefined. */
  async function move(
    from: ExecutionState,
    to: ExecutionState,
    { owner = null, plan = 'nestloop' }: { owner?: string | null; plan?: string } = {},
  ): Promise<string | undefined> {
    const client = await store.pool.connect();
    try {
      await client.query('begin');
      await client.query('discard plans');
      for (const other of JOINS) if (other !== plan) await client.query(`set local enable_${other} = off`);
      await client.query(
        `insert into executions (tenant_id, delivery_id, endpoint_id, state, due_at, give_up_at, attempts, reason,
           lease_token, finished_at)
         select tenant_id, id, endpoint_id, $2, now(), now(), 1, 'x',
           case when $2 = 'sending' then uuidv7() end, case when not $3 then now() end from deliveries where id = $1`,
        [deliveryId, from, isOpen(from)],
      );
      await client.query('update executions set operation_id = $1', [owner]);
      await client.query(
        `update executions set state = $1, reason = 'x', lease_token = case when $1 = 'sending' then uuidv7() end,
           finished_at = case when not $2 then now() end`,
        [to, isOpen(to)],
      );
      return undefined;
    } catch (error) {
      return (error as { code?: string }).code;
    } finally {
      await client.query('rollback');
      client.release();
    }
  }

  test('is refused where the table of transitions does not name the change', async () => {
    for (const { from, to } of PAIRS)
      expect({ from, to, code: await move(from, to) }).toEqual({
        from,
        to,
        code: EXECUTION_TRANSITIONS[from].includes(to) ? undefined : 'RD001',
      });
  });

  test('is refused where there is no operation at all, however the planner joins', async () => {
    expect(await store.rows('select from operation_counts')).toEqual([]);
    for (const plan of JOINS)
      expect({ plan, code: await move('failed', 'queued', { plan }) }).toEqual({ plan, code: 'RD001' });
  });

  test('is refused alike for an item of an operation', async () => {
    const [{ tenant_id: tenantId }] = await store.rows('select tenant_id from deliveries');
    const [{ handle }] = await store.rows('select handle from tenants where id = $1', [tenantId]);
    const { operationId: owner } = await store.retry(
      { id: tenantId, handle },
      { filter: { state: ['ignored'] } },
    );
    await store.rows(
      'update operation_counts set queued = 1, scheduled = 1, sending = 1, unknown = 1, failed = 1, cancelled = 1, expected = 6',
    );
    for (const { from, to } of PAIRS)
      if (!EXECUTION_TRANSITIONS[from].includes(to)) expect(await move(from, to, { owner })).toBe('RD001');
  });
});
