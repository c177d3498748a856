import { createHash, randomUUID } from 'node:crypto';
import { beforeEach, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { type AcceptResult, acceptOperation } from '../../../src/operations/accept-operation.ts';
import type { AcceptRequest } from '../../../src/operations/accepting/accept-request.ts';
import { freezeNext } from '../../../src/operations/freeze-selection.ts';
import { type Pool, withTransaction } from '../../../src/store/db/pool.ts';
import { forgetKeys } from '../../../src/store/operations/idempotency-keys.ts';
import { removeOperations } from '../../../src/store/retention/remove-operations.ts';
import { updateTenant } from '../../../src/store/tenancy/tenants.ts';
import { closeOperation } from '../../support/store/close-operation.ts';
import { Crashed, crashingPool } from '../../support/store/crashing-pool.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const DAY_MS = 86_400_000;

const store = useStore({ connections: 20 });
let tenant: TestTenant;
let started: string[];

beforeEach(async () => {
  tenant = await store.newTenant();
  started = [];
});

type Asked = {
  key: string;
  scope?: string;
  body?: string;
  tenant?: TestTenant;
  keepMs?: number;
  whileOpen?: boolean;
  pool?: Pool;
};

function accept({
  key,
  scope = tenant.id,
  body = 'a',
  keepMs = DAY_MS,
  ...asked
}: Asked): Promise<AcceptResult> {
  const request: AcceptRequest = {
    tenant: asked.tenant ?? tenant,
    surface: 'native',
    caller: { actor: 'test' },
    kind: 'retry',
    target: 'current',
    selection: { filter: {} },
    options: {},
    idempotency: {
      scope,
      key,
      fingerprint: createHash('sha256').update(body).digest(),
      keep: asked.whileOpen ? 'while_open' : { ms: keepMs },
    },
    render: ({ operation, idempotencyExpiresAt }) => ({
      id: operation.id,
      workflowId: operation.workflowId,
      expires: idempotencyExpiresAt,
      nonce: randomUUID(),
    }),
  };
  return acceptOperation(
    {
      ...store.deps,
      pool: asked.pool ?? store.pool,
      startOperation: async ({ workflowId }) => void started.push(workflowId),
    },
    request,
  );
}

function bodyOf(result: AcceptResult) {
  if (!result.ok) throw new Error(result.code);
  return { ...JSON.parse(result.body), replayed: result.replayed };
}

function expire(): Promise<unknown> {
  return store.rows('update idempotency_keys set expires_at = clock_timestamp() where tenant_id = $1', [
    tenant.id,
  ]);
}

test('fifty uses of a key at once make one operation and fifty equal answers', async () => {
  const answers = await Promise.all(Array.from({ length: 50 }, () => accept({ key: 'k' })));
  expect(new Set(answers.map((answer) => answer.ok && answer.body)).size).toBe(1);
  expect(answers.filter((answer) => answer.ok && !answer.replayed)).toHaveLength(1);
  expect(await store.rows('select from operations where tenant_id = $1', [tenant.id])).toHaveLength(1);
  expect(started).toHaveLength(1);
});

test('another body under the same key is refused and does nothing', async () => {
  await accept({ key: 'k' });
  expect(await accept({ key: 'k', body: 'b' })).toEqual({ ok: false, code: 'idempotency_key_reused' });
  expect(await store.rows('select from operations where tenant_id = $1', [tenant.id])).toHaveLength(1);
});

test('keys of two scopes have nothing to do with each other', async () => {
  const other = await store.newTenant();
  const [first, second] = [
    bodyOf(await accept({ key: 'k' })),
    bodyOf(await accept({ key: 'k', tenant: other, scope: other.id })),
  ];
  expect(first.id).not.toBe(second.id);
  expect(first.workflowId).not.toBe(second.workflowId);
});

test('only hashes of a key are kept', async () => {
  await accept({ key: 'customer-4711' });
  const [row] = await store.rows('select * from idempotency_keys where tenant_id = $1', [tenant.id]);
  expect(JSON.stringify(row)).not.toContain('customer-4711');
  expect(row.key_hash).toEqual(createHash('sha256').update('customer-4711').digest());
});

test('the answer holds until the time it names, and not after', async () => {
  const first = bodyOf(await accept({ key: 'k', keepMs: 60_000 }));
  const [row] = await store.rows('select expires_at, created_at from idempotency_keys where tenant_id = $1', [
    tenant.id,
  ]);
  expect(row.expires_at.toISOString()).toBe(first.expires);
  expect(bodyOf(await accept({ key: 'k' }))).toEqual({ ...first, replayed: true });
});

test('a key used again after its expiry gets a new operation and a workflow id of its own', async () => {
  const first = bodyOf(await accept({ key: 'k' }));
  await expire();
  const second = bodyOf(await accept({ key: 'k', body: 'another body' }));
  expect(second.replayed).toBe(false);
  expect(second.id).not.toBe(first.id);
  expect(first.workflowId).toMatch(/^retry\/t-[0-9a-f]+\/[0-9a-f]{32}\.[0-9a-f-]{36}$/);
  expect(second.workflowId).toBe(first.workflowId.replace(first.id, second.id));
  expect(started).toEqual([first.workflowId, second.workflowId]);
  await expire();
  expect(await forgetKeys(store.pool, 10)).toBe(1);
  const third = bodyOf(await accept({ key: 'k' }));
  expect(third.workflowId).toBe(first.workflowId.replace(first.id, third.id));
});

test('a key used again by many at once after its expiry is used once', async () => {
  await accept({ key: 'k' });
  await expire();
  const answers = await Promise.all(Array.from({ length: 20 }, () => accept({ key: 'k' })));
  expect(new Set(answers.map((answer) => bodyOf(answer).id)).size).toBe(1);
  expect(await store.rows('select from operations where tenant_id = $1', [tenant.id])).toHaveLength(2);
});

test('a key that holds while its operation is open is free once that has closed, and once it is removed', async () => {
  const asked = { key: 'k', whileOpen: true };
  const first = bodyOf(await accept(asked));
  expect(bodyOf(await accept(asked))).toEqual({ ...first, replayed: true });
  const end = async (id: Id<'operation'>) => {
    while (await freezeNext(store.pool, id));
    expect(await closeOperation(store.pool, id)).toMatchObject({ closed: true });
  };
  await end(first.id);
  const second = bodyOf(await accept(asked));
  expect(second).toMatchObject({
    replayed: false,
    workflowId: first.workflowId.replace(first.id, second.id),
  });
  await end(second.id);
  await updateTenant(store.pool, tenant.id, {
    settings: { ledgerRetentionDays: 7, reportRetentionDays: 7 },
  });
  await store.rows(
    `update operations set created_at = created_at - interval '8 days', closed_at = closed_at - interval '8 days'
     where tenant_id = $1`,
    [tenant.id],
  );
  expect(await withTransaction(store.pool, (tx) => removeOperations(tx, tenant.id, 10))).toMatchObject({
    operations: 2,
  });
  const third = bodyOf(await accept(asked));
  expect(third).toMatchObject({ replayed: false, workflowId: first.workflowId.replace(first.id, third.id) });
  expect(bodyOf(await accept(asked))).toEqual({ ...third, replayed: true });
});

test('what a key has kept goes at its time, in steps, and nothing else does', async () => {
  for (const key of ['a', 'b', 'c']) await accept({ key });
  await expire();
  const open = bodyOf(await accept({ key: 'open', whileOpen: true }));
  await accept({ key: 'kept', keepMs: 60_000 });
  const left = async () =>
    (await store.rows('select from idempotency_keys where tenant_id = $1', [tenant.id])).length;
  expect(await forgetKeys(store.pool, 2)).toBe(2);
  expect(await left()).toBe(3);
  expect(await forgetKeys(store.pool, 2)).toBe(1);
  expect(await forgetKeys(store.pool, 2)).toBe(0);
  expect(await left()).toBe(2);
  while (await freezeNext(store.pool, open.id));
  expect(await closeOperation(store.pool, open.id)).toMatchObject({ closed: true });
  expect(await forgetKeys(store.pool, 2)).toBe(1);
  expect(bodyOf(await accept({ key: 'kept' })).replayed).toBe(true);
});

test('a process that dies before its commit leaves the key free, and one that dies after it has used it', async () => {
  const dying = (key: string, statement: number, after: boolean) =>
    accept({ key, pool: crashingPool(store.pool, { statement, after }) });
  const operations = () => store.rows('select from operations where tenant_id = $1', [tenant.id]);
  let statements = 0;
  for (let crashed = true; crashed; ) {
    expect(await operations()).toEqual([]);
    crashed = await dying('k', statements, false).then(
      () => false,
      (error) => error instanceof Crashed,
    );
    if (crashed) statements += 1;
  }
  expect(await operations()).toHaveLength(1);
  await expect(dying('other', statements - 1, true)).rejects.toThrow(Crashed);
  expect(await operations()).toHaveLength(2);
  expect(bodyOf(await accept({ key: 'other' })).replayed).toBe(true);
});
