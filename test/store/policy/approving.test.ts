import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Party } from '../../../src/domain/policy/approver.ts';
import { type Id, newId, showId } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { haltAfter } from '../../../src/operations/halt-operation.ts';
import { lookAtOperation } from '../../../src/operations/look-at-operation.ts';
import { executePlan } from '../../../src/operations/plans/execute-plan.ts';
import { mayBeFrozen } from '../../../src/operations/plans/measure-drift.ts';
import { createPool } from '../../../src/store/db/pool.ts';
import { controlsOf } from '../../../src/store/operations/operation-controls.ts';
import { cancelExpired } from '../../../src/store/operations/operation-states.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { lastHold } from '../../../src/store/policy/holds.ts';
import { insertJwtIssuer } from '../../../src/store/tenancy/jwt-issuers.ts';
import { quietContext } from '../../support/engine/quiet-context.ts';
import { closeOperation } from '../../support/store/close-operation.ts';
import { type Plans, plansOf } from '../../support/store/plans.ts';
import { policyOf, type TestPolicy } from '../../support/store/policies.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** Who lets an operation run that a policy holds, and who does not. */

const store = useStore({ checked: true });
let tenant: TestTenant;
let policy: TestPolicy;
let plans: Plans;
let endpointId: Id<'endpoint'>;

const ALL = { filter: {} };

beforeEach(async () => {
  tenant = await store.newTenant();
  policy = policyOf(store, tenant);
  plans = plansOf(store, tenant);
  endpointId = await store.newEndpoint(tenant);
});

async function failed(count: number): Promise<Id<'delivery'>[]> {
  const ids = await store.ingest(tenant, count);
  await store.attempt(404, { endpointIds: [endpointId], count: 1_000 });
  return ids;
}

/** An operation that waits for approval, of `by`. */
async function held(by: Party, request: object = {}): Promise<Id<'operation'>> {
  await failed(2);
  await policy.set({ approveAbove: 1 });
  const { operationId } = await store.retry(tenant, ALL, { caller: by, ...request });
  await policy.judged(operationId);
  return operationId;
}

async function show(operationId: Id<'operation'>) {
  const operation = await loadOperation(store.pool, operationId);
  return { state: operation?.state, control: operation?.control };
}

const WAITS = { state: 'awaiting_approval', control: 'pause' };

async function entries(operationId: Id<'operation'>) {
  return store.rows(
    'select action, actor, key_id, detail, words from audit_entries where target_id = $1 order by id',
    [operationId],
  );
}

describe('an approval', () => {
  test('is by as many distinct actors as the policy says, each counted once', async () => {
    const [alice, bob, carol] = await Promise.all(
      ['alice', 'bob', 'carol'].map((name) => policy.person(name)),
    );
    if (!alice || !bob || !carol) throw new Error('nobody');
    await failed(2);
    await policy.set({ approveAbove: 1, approvers: { count: 2 } });
    const { operationId } = await store.retry(tenant, ALL, { caller: alice });
    await policy.judged(operationId);
    const first = await policy.say(operationId, bob, { do: 'approve', comment: 'looks right' });
    expect(first).toMatchObject({ ok: true, operation: { state: 'awaiting_approval' } });
    // By the same one again, also with another key.
    await policy.say(operationId, bob, { do: 'approve' });
    await policy.say(operationId, await policy.person('bob'), { do: 'approve' });
    expect(await show(operationId)).toEqual(WAITS);
    expect(await policy.say(operationId, carol, { do: 'approve' })).toMatchObject({
      ok: true,
      operation: { state: 'accepted' },
      hold: {
        ended: { for: 'approved' },
        verdicts: [
          {
            verdict: 'approve',
            actor: 'actor:bob',
            comment: 'looks right',
            commentDigest: expect.any(String),
          },
          { verdict: 'approve', actor: 'actor:carol' },
        ],
      },
    });
    // Who has approved is answered alike when they ask again; nobody else can any more.
    expect(await policy.say(operationId, carol, { do: 'approve' })).toMatchObject({ ok: true });
    expect(await policy.say(operationId, await policy.person('dora'), { do: 'approve' })).toEqual({
      ok: false,
      code: 'state_conflict',
      state: 'accepted',
    });
    const told = (await entries(operationId)).filter(({ action }) => action === 'operation.approved');
    expect(told).toMatchObject([
      { actor: 'actor:bob', key_id: bob.keyId, words: { reason: 'looks right' } },
      { actor: 'actor:carol', key_id: carol.keyId, words: null },
    ]);
    expect(JSON.stringify(told.map(({ detail }) => detail))).not.toContain('looks right');
    expect(
      (await controlsOf(store.pool, tenant.id, operationId)).map(({ did, actor }) => [did, actor]),
    ).toEqual([
      ['hold', 'redrive'],
      ['approve', 'actor:bob'],
      ['approve', 'actor:carol'],
    ]);
  });

  test('by two who race is counted once each, over two processes', async () => {
    const people = await Promise.all(['bob', 'carol', 'dora', 'emil'].map((name) => policy.person(name)));
    await failed(2);
    await policy.set({ approveAbove: 1, approvers: { count: 4 } });
    const { operationId } = await store.retry(tenant, ALL, { caller: { actor: 'test' } });
    await policy.judged(operationId);
    const pool = createPool(store.url, { max: 4 });
    const elsewhere = policyOf({ ...store, deps: { ...store.deps, pool } }, tenant);
    try {
      const said = await Promise.all(
        people.flatMap((person) =>
          [policy, elsewhere].map((process) => process.say(operationId, person, { do: 'approve' })),
        ),
      );
      expect(said.every(({ ok }) => ok)).toBe(true);
    } finally {
      await pool.end();
    }
    const hold = await lastHold(store.pool, operationId);
    expect(hold).toMatchObject({ approvers: 4, ended: { for: 'approved' } });
    expect(hold?.verdicts).toHaveLength(4);
    const told = (await entries(operationId)).filter(({ action }) => action === 'operation.approved');
    expect(told).toHaveLength(4);
    expect(await show(operationId)).toEqual({ state: 'accepted', control: 'run' });
  });

  test('is refused to whoever asked, by actor and by key, and to the credentials that they made', async () => {
    const alice = await policy.person('alice');
    const operationId = await held(alice);
    const refused = async (by: Party) => {
      const said = await policy.say(operationId, by, { do: 'approve' });
      return said.ok ? 'approved' : said.code === 'approver_refused' ? said.why : said.code;
    };
    expect(await refused(alice)).toBe('own_request');
    expect(await refused(await policy.person('alice'))).toBe('own_request');
    expect(await refused({ actor: 'actor:renamed', keyId: alice.keyId })).toBe('own_key');
    expect(await refused(await policy.person('puppet', alice))).toBe('made_by_requester');
    const between = await policy.person('between', alice);
    expect(await refused(await policy.person('puppet-of-a-puppet', between))).toBe('made_by_requester');
    expect(await refused({ actor: 'key_without_a_name' })).toBe('no_actor');
    expect(await show(operationId)).toEqual(WAITS);
    expect((await entries(operationId)).map(({ action }) => action)).toEqual(['operation.accepted']);
    expect(await refused(await policy.person('bob'))).toBe('approved');
  });

  test('is refused to a credential that the requester has made by others, however many, and of whatever kind', async () => {
    const alice = await policy.person('alice');
    const operationId = await held(alice);
    const refused = async (by: Party) => {
      const said = await policy.say(operationId, by, { do: 'approve' });
      return said.ok ? 'approved' : said.code === 'approver_refused' ? said.why : said.code;
    };
    const registered = async (maker: Party): Promise<Party> => {
      const id = newId('jwtIssuer');
      const members = { name: 'idp', issuer: id, audience: 'a', algorithm: 'HS256' as const };
      const scopes = ['approve:retries' as const];
      const sealedSecret = Buffer.from('sealed');
      const issuer = { id, ...members, scopes, sealedSecret, byInstallation: false, tenant };
      expect(await insertJwtIssuer(store.pool, issuer, maker)).toBeDefined();
      return { actor: `jwt:${showId('jwtIssuer', id)}:eve` };
    };
    // By a token of hers, a key that the token made, a token of an issuer that that key registered, and so on.
    let last: Party = alice;
    for (let n = 0; n < 4; n += 1) {
      last = await registered(last);
      expect(await refused(last)).toBe('made_by_requester');
      last = await policy.person(`zoe-${n}`, last);
      expect(await refused(last)).toBe('made_by_requester');
    }
    // A key that stands for the subject of such a token.
    const subject = (await registered(alice)).actor;
    expect(await refused({ actor: subject, keyId: (await policy.person('x')).keyId })).toBe(
      'made_by_requester',
    );
    // More generations than anybody would follow one by one.
    last = alice;
    for (let n = 0; n < 120; n += 1) last = await policy.person(`generation-${n}`, last);
    expect(await refused(last)).toBe('made_by_requester');
    expect(await show(operationId)).toEqual(WAITS);
    // The same chains from somebody else are nobody's business.
    const bob = await policy.person('bob');
    const carol = await policy.person('carol', await registered(bob));
    expect(await refused(carol)).toBe('approved');
  });

  test('ends where two credentials claim to have made each other', async () => {
    const operationId = await held(await policy.person('alice'));
    const one = await policy.person('one');
    const other = await policy.person('other', one);
    await store.rows('update api_keys set made_by = $2, made_by_key = $3 where id = $1', [
      one.keyId,
      other.actor,
      other.keyId,
    ]);
    expect(await policy.say(operationId, other, { do: 'approve' })).toMatchObject({ ok: true });
  });

  test('is refused to whoever executed the plan, and to whoever made it', async () => {
    const [alice, bob] = [await policy.person('alice'), await policy.person('bob')];
    await failed(2);
    await policy.set({ approveAbove: 1 });
    const plan = await plans.make(ALL, { caller: alice });
    const planHash = plan.planned?.planHash ?? '';
    expect(await executePlan(store.deps, tenant.id, plan.operationId, { planHash }, bob)).toMatchObject({
      ok: true,
      operation: { state: 'awaiting_approval' },
      plan: { executed: { by: 'actor:bob' } },
    });
    for (const by of [alice, bob])
      expect(await policy.say(plan.operationId, by, { do: 'approve' })).toMatchObject({
        code: 'approver_refused',
        why: 'own_request',
      });
    expect(await policy.say(plan.operationId, await policy.person('carol'), { do: 'approve' })).toMatchObject(
      {
        ok: true,
        operation: { state: 'accepted' },
      },
    );
    expect(await plans.freeze(plan)).toBe(true);
    expect((await plans.ledger(plan)).size).toBe(2);
  });

  test('is for the hash that was shown, and for no other', async () => {
    const operationId = await held({ actor: 'test' });
    const bob = await policy.person('bob');
    expect(await policy.say(operationId, bob, { do: 'approve', planHash: 'a'.repeat(64) })).toEqual({
      ok: false,
      code: 'plan_changed',
    });
    expect(await show(operationId)).toEqual(WAITS);
  });

  test('of another tenant does not exist', async () => {
    const operationId = await held({ actor: 'test' });
    const others = policyOf(store, await store.newTenant());
    expect(await others.say(operationId, await others.person('bob'), { do: 'approve' })).toEqual({
      ok: false,
      code: 'not_found',
    });
    expect(await show(operationId)).toEqual(WAITS);
  });

  test('is void where too much has changed by then: the plan waits again, and is approved anew', async () => {
    const ids = await failed(4);
    await policy.set({ approveAbove: 1 });
    const bob = await policy.person('bob');
    const plan = await plans.make(ALL);
    expect(await plans.execute(plan, 10)).toMatchObject({ operation: { state: 'awaiting_approval' } });
    // One at a time, for which nobody has to be asked.
    for (const id of ids.slice(0, 2)) await store.retry(tenant, { deliveryIds: [id] });
    await store.attempt(200, { endpointIds: [endpointId] });
    await policy.say(plan.operationId, bob, { do: 'approve' });
    expect(await mayBeFrozen(store.pool, plan.operationId, new AbortController().signal)).toBe(false);
    expect(await show(plan.operationId)).toEqual({ state: 'planned', control: 'run' });
    expect(await lastHold(store.pool, plan.operationId)).toMatchObject({ ended: { for: 'void' } });
    const again = await plans.show(plan.operationId);
    expect(again).toMatchObject({ refusedDrift: { gone: { already_delivered: 2 } } });
    expect(again.executed).toBeUndefined();
    // Executed with more room, it needs approval like the first time.
    expect(await plans.execute(again)).toMatchObject({ operation: { state: 'awaiting_approval' } });
    expect(await lastHold(store.pool, plan.operationId)).toMatchObject({ number: 2, verdicts: [] });
    await policy.say(plan.operationId, bob, { do: 'approve' });
    expect(await plans.freeze(again)).toBe(true);
  });
});

describe('a rejection', () => {
  test('ends the operation, whoever else has approved, and nothing is sent', async () => {
    await failed(2);
    await policy.set({ approveAbove: 1, approvers: { count: 2 } });
    const { operationId } = await store.retry(tenant, ALL);
    await policy.judged(operationId);
    await policy.say(operationId, await policy.person('bob'), { do: 'approve' });
    const carol = await policy.person('carol');
    expect(await policy.say(operationId, carol, { do: 'reject', comment: 'not these' })).toMatchObject({
      ok: true,
      operation: { state: 'closing', control: 'cancel' },
      hold: { ended: { for: 'rejected' } },
    });
    expect((await lookAtOperation(quietContext(store.pool), operationId)).step).toEqual({ do: 'close' });
    await closeOperation(store.pool, operationId);
    expect(await loadOperation(store.pool, operationId)).toMatchObject({
      state: 'cancelled',
      counts: { expected: 0 },
    });
    expect((await entries(operationId)).at(-2)).toMatchObject({
      action: 'operation.rejected',
      detail: { code: 'rejected' },
      words: { reason: 'not these' },
    });
    const [{ jws }] = await store.rows('select jws from closure_reports where operation_id = $1', [
      operationId,
    ]);
    const payload = JSON.parse(Buffer.from(JSON.parse(jws).payload, 'base64url').toString());
    expect(payload).toMatchObject({
      approvals: [{ by: 'actor:bob', commentDigest: null }],
      rejection: { by: 'actor:carol', commentDigest: expect.stringMatching(/^[0-9a-f]{64}$/) },
      policy: { because: ['items'], approvers: 2, endedFor: 'rejected' },
      emergency: null,
    });
    expect(JSON.stringify(payload)).not.toContain('not these');
  });

  test('of an explicit list gives its deliveries back', async () => {
    const ids = await failed(2);
    await policy.set({ approveAbove: 1 });
    const { operationId } = await store.retry(tenant, { deliveryIds: ids });
    await policy.say(operationId, await policy.person('carol'), { do: 'reject', comment: 'no' });
    const other = await store.retry(tenant, { deliveryIds: ids.slice(1) });
    expect(other.items).toMatchObject([{ became: 'queued' }]);
  });
});

describe('an emergency', () => {
  test('lets it run without approval, also by who asked, and stays on the report', async () => {
    const alice = await policy.person('alice');
    const operationId = await held(alice);
    expect(
      await policy.say(operationId, alice, { do: 'emergency', reason: 'the shop is down' }),
    ).toMatchObject({
      ok: true,
      operation: { state: 'accepted', control: 'run' },
      hold: { ended: { for: 'emergency' } },
    });
    expect((await entries(operationId)).at(-1)).toMatchObject({
      action: 'operation.emergency',
      actor: 'actor:alice',
      words: { reason: 'the shop is down' },
    });
  });

  test('from the start needs no second call, and is entered by itself', async () => {
    const alice = await policy.person('alice');
    const operationId = await held(alice, { emergency: true, reason: 'the shop is down' });
    expect(await show(operationId)).toEqual({ state: 'accepted', control: 'run' });
    expect(await lastHold(store.pool, operationId)).toMatchObject({
      because: ['items'],
      ended: { for: 'emergency' },
      verdicts: [{ verdict: 'emergency', actor: 'actor:alice', comment: 'the shop is down' }],
    });
    expect((await entries(operationId)).map(({ action }) => action)).toEqual([
      'operation.accepted',
      'operation.emergency',
    ]);
    const ids = await failed(2);
    const list = await store.retry(
      tenant,
      { deliveryIds: ids },
      { caller: alice, emergency: true, reason: 'still down' },
    );
    expect(await show(list.operationId)).toEqual({ state: 'accepted', control: 'run' });
  });
});

describe('while it waits', () => {
  test('it expires after seven days, and is named so', async () => {
    const operationId = await held({ actor: 'test' });
    const [{ days }] = await store.rows(
      `select extract(epoch from expires_at - now()) / 86400 as days from operations where id = $1`,
      [operationId],
    );
    expect(Number(days)).toBeCloseTo(7, 1);
    expect(await cancelExpired(store.pool, operationId)).toBe(false);
    await store.rows(`update operations set expires_at = now() where id = $1`, [operationId]);
    expect((await lookAtOperation(quietContext(store.pool), operationId)).step).toEqual({ do: 'close' });
    expect(await lastHold(store.pool, operationId)).toMatchObject({ ended: { for: 'expired' } });
    expect(await policy.say(operationId, await policy.person('bob'), { do: 'approve' })).toMatchObject({
      code: 'state_conflict',
    });
  });

  test('so does one that waits for words, and one whose plan is never made', async () => {
    await failed(2);
    await policy.set({ reasonAbove: 1 });
    const { operationId } = await store.retry(tenant, ALL);
    await store.rows(`update operations set expires_at = now() where id = $1`, [operationId]);
    expect(await cancelExpired(store.pool, operationId)).toBe(true);
    const other = await store.retry(tenant, ALL);
    await policy.judged(other.operationId);
    await store.rows(`update operations set expires_at = now() where id = $1`, [other.operationId]);
    expect(await cancelExpired(store.pool, other.operationId)).toBe(true);
    expect(await lastHold(store.pool, other.operationId)).toMatchObject({ ended: { for: 'expired' } });
  });

  test('it can be cancelled, but neither resumed nor paused nor paced', async () => {
    const operationId = await held({ actor: 'test' });
    for (const command of [{ do: 'resume' }, { do: 'pause' }, { do: 'rate', ratePerSecond: null }] as const)
      expect(await controlOperation(store.deps, tenant.id, operationId, command)).toMatchObject({
        code: 'state_conflict',
      });
    expect(await controlOperation(store.deps, tenant.id, operationId, { do: 'cancel' })).toMatchObject({
      ok: true,
    });
    expect(await lastHold(store.pool, operationId)).toMatchObject({ ended: { for: 'cancelled' } });
  });

  test('a step that fails does not let it run: resumed, it waits for approval again', async () => {
    const operationId = await held({ actor: 'test' });
    const context = quietContext(store.pool);
    await haltAfter(context, operationId, { step: 'look', code: '22008' });
    expect(await show(operationId)).toEqual({ state: 'halted', control: 'pause' });
    expect(await controlOperation(store.deps, tenant.id, operationId, { do: 'resume' })).toMatchObject({
      ok: true,
    });
    expect(await show(operationId)).toEqual(WAITS);
    await policy.say(operationId, await policy.person('bob'), { do: 'approve' });
    expect(await show(operationId)).toEqual({ state: 'accepted', control: 'run' });
  });

  test('a step that fails before it is judged does not let it run either', async () => {
    await failed(2);
    await policy.set({ approveAbove: 1 });
    const { operationId } = await store.retry(tenant, ALL);
    await haltAfter(quietContext(store.pool), operationId, { step: 'select', code: '22008' });
    await controlOperation(store.deps, tenant.id, operationId, { do: 'resume' });
    expect(await show(operationId)).toEqual({ state: 'planned', control: 'pause' });
    expect((await lookAtOperation(quietContext(store.pool), operationId)).step).toEqual({ do: 'select' });
    expect(await policy.judged(operationId)).toMatchObject({ state: 'awaiting_approval' });
  });
});

describe('one that is halted is not made faster', () => {
  const rate = (operationId: Id<'operation'>, ratePerSecond: number | null) =>
    controlOperation(store.deps, tenant.id, operationId, { do: 'rate', ratePerSecond });

  test('while it is held: who approves it has seen its rate', async () => {
    const operationId = await held({ actor: 'test' }, { options: { ratePerSecond: 10 } });
    await haltAfter(quietContext(store.pool), operationId, { step: 'look', code: '22008' });
    for (const faster of [11, null])
      expect(await rate(operationId, faster)).toEqual({ ok: false, code: 'needs_approval' });
    expect(await rate(operationId, 9)).toMatchObject({ ok: true });
  });

  test('while it is planned: it is judged by the rate that was asked for', async () => {
    await failed(2);
    await policy.set({ quotas: { ratePerSecond: 50 } });
    const { operationId } = await store.retry(tenant, ALL, { options: { ratePerSecond: 10 } });
    await haltAfter(quietContext(store.pool), operationId, { step: 'select', code: '22008' });
    expect(await rate(operationId, 20)).toEqual({ ok: false, code: 'needs_approval' });
    expect(await rate(operationId, 10)).toMatchObject({ ok: true });
  });
});

describe('Postgres itself refuses', () => {
  test('to run what is held, to end a hold without what it asked for, and an approval of one’s own', async () => {
    const alice = await policy.person('alice');
    const operationId = await held(alice);
    const tries: [string, string][] = [
      [`update operations set state = 'accepted', control = 'run' where id = $1`, 'RD010'],
      [`update operations set control = 'run' where id = $1`, 'RD010'],
      [
        `update operation_holds set ended_at = now(), ended_for = 'approved' where operation_id = $1`,
        'RD010',
      ],
      [`update operation_holds set approvers = 0, because = '{}' where operation_id = $1`, 'RD010'],
      [
        `insert into operation_verdicts (operation_id, hold, verdict, actor) values ($1, 1, 'approve', 'actor:alice')`,
        'RD011',
      ],
      [
        `insert into operation_verdicts (operation_id, hold, verdict, actor, key_id)
         select $1, 1, 'approve', 'actor:x', requested_by from operations where id = $1`,
        'RD011',
      ],
    ];
    for (const [statement, code] of tries)
      await expect(store.rows(statement, [operationId])).rejects.toMatchObject({ code });
    expect(await show(operationId)).toEqual(WAITS);
  });
});

describe('quotas', () => {
  const day = async () =>
    (await store.rows('select items::int from quota_days where tenant_id = $1', [tenant.id]))[0]?.items ?? 0;

  test('are charged by what goes on by itself; what exceeds them waits, and is charged with its approval', async () => {
    await failed(3);
    await policy.set({ quotas: { itemsPerDay: 4 } });
    const first = await store.retry(tenant, ALL);
    expect(await policy.judged(first.operationId)).toMatchObject({ state: 'accepted' });
    expect(await day()).toBe(3);
    const second = await store.retry(tenant, ALL);
    expect(await policy.judged(second.operationId)).toMatchObject({ state: 'awaiting_approval' });
    expect(await lastHold(store.pool, second.operationId)).toMatchObject({ because: ['itemsPerDay'] });
    expect(await day()).toBe(3);
    const bob = await policy.person('bob');
    expect(await policy.say(second.operationId, bob, { do: 'approve' })).toMatchObject({
      operation: { state: 'accepted' },
    });
    expect(await day()).toBe(6);
    const [id] = await failed(1);
    const single = await store.retry(tenant, { deliveryIds: [id as Id<'delivery'>] });
    expect(await show(single.operationId)).toMatchObject({ state: 'accepted' });
  });

  test('that other operations have used up hold an explicit list, too', async () => {
    const ids = await failed(3);
    await policy.set({ quotas: { openOperations: 1 } });
    const first = await store.retry(tenant, { deliveryIds: ids.slice(0, 2) });
    expect(await show(first.operationId)).toMatchObject({ state: 'accepted' });
    const second = await store.retry(tenant, { deliveryIds: ids.slice(1) });
    expect(await show(second.operationId)).toEqual(WAITS);
    expect(await lastHold(store.pool, second.operationId)).toMatchObject({ because: ['openOperations'] });
  });

  test('of the installation refuse a list at once; nobody approves what is above them', async () => {
    const ids = await failed(3);
    await policy.set({ approveAbove: 1 });
    const { operationId } = await store.retry(tenant, ALL);
    await policy.judged(operationId);
    await store.rows('insert into platform_limits (items_per_operation) values (2)');
    try {
      const list = store.retry(tenant, { deliveryIds: ids });
      await expect(list).rejects.toThrow('quota_exceeded');
      const bob = await policy.person('bob');
      for (const said of [{ do: 'approve' }, { do: 'emergency', reason: 'now' }] as const)
        expect(await policy.say(operationId, bob, said)).toMatchObject({
          code: 'quota_exceeded',
          beyond: [{ quota: 'itemsPerOperation', limit: 2, would: 3 }],
        });
      expect(await show(operationId)).toEqual(WAITS);
      expect(await lastHold(store.pool, operationId)).toMatchObject({ verdicts: [] });
      const plan = await plans.make(ALL);
      expect(await plans.execute(plan)).toMatchObject({ code: 'quota_exceeded' });
    } finally {
      await store.rows('delete from platform_limits');
    }
    expect(await policy.say(operationId, await policy.person('carol'), { do: 'approve' })).toMatchObject({
      ok: true,
    });
  });
});

describe('once it is approved', () => {
  test('it can be made slower, and as fast as it was, but not faster than what was approved', async () => {
    const operationId = await held({ actor: 'test' }, { options: { ratePerSecond: 10 } });
    await policy.say(operationId, await policy.person('bob'), { do: 'approve' });
    const rate = (ratePerSecond: number | null) =>
      controlOperation(store.deps, tenant.id, operationId, { do: 'rate', ratePerSecond });
    expect(await rate(5)).toMatchObject({ ok: true });
    expect(await rate(10)).toMatchObject({ ok: true });
    for (const faster of [11, null])
      expect(await rate(faster)).toEqual({ ok: false, code: 'needs_approval' });
    expect(await controlOperation(store.deps, tenant.id, operationId, { do: 'pause' })).toMatchObject({
      ok: true,
    });
  });

  test('without approval it stays below the rate that the policy lets pass', async () => {
    await failed(2);
    await policy.set({ quotas: { ratePerSecond: 20 } });
    const { operationId } = await store.retry(tenant, ALL, { options: { ratePerSecond: 10 } });
    expect(await policy.judged(operationId)).toMatchObject({ state: 'accepted' });
    const rate = (ratePerSecond: number | null) =>
      controlOperation(store.deps, tenant.id, operationId, { do: 'rate', ratePerSecond });
    expect(await rate(20)).toMatchObject({ ok: true });
    expect(await rate(21)).toEqual({ ok: false, code: 'needs_approval' });
    const unlimited = await store.retry(tenant, ALL);
    expect(await policy.judged(unlimited.operationId)).toMatchObject({ state: 'awaiting_approval' });
    expect(await lastHold(store.pool, unlimited.operationId)).toMatchObject({ because: ['ratePerSecond'] });
  });
});
