import { randomBytes, randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { readCheckpoints } from '../../../clients/typescript/src/proof/checkpoints.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { showId } from '../../../src/domain/tenancy/typed-id.ts';
import { cancelAsInTemporal } from '../../../src/operations/cancel-unasked.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { replaceAdminKeys } from '../../../src/operations/replace-admin-keys.ts';
import { checkpointOf, listCheckpoints } from '../../../src/store/audit/checkpoints.ts';
import { noteAct } from '../../../src/store/audit/entries.ts';
import { sealEntries } from '../../../src/store/audit/sealing.ts';
import { createPool, withTransaction } from '../../../src/store/db/pool.ts';
import { listSigningKeys } from '../../../src/store/proof/signing-keys.ts';
import { insertTenant, PLATFORM_TENANT } from '../../../src/store/tenancy/tenants.ts';
import { anyId } from '../../support/store/any-id.ts';
import { act, chainOf, newSealer, verdictOf } from '../../support/store/audit.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const WRITERS = 64;
const ACTS = 20;

const store = useStore({ connections: 16 });
let tenant: TestTenant;

beforeEach(async () => {
  tenant = await store.newTenant();
});

async function sealed(acts: (string | undefined)[]): Promise<void> {
  for (const reason of acts) await act(store.pool, tenant.id, reason);
  await newSealer(store.pool).sealer.seal();
}

/** Changes rows as somebody does who owns the database. */
async function tamper(sql: string, values: unknown[] = []): Promise<void> {
  await withTransaction(store.pool, async (tx) => {
    await tx.query('alter table audit_entries disable trigger user');
    await tx.query(sql, values);
    await tx.query('alter table audit_entries enable trigger user');
  });
}

describe('the sealer', () => {
  test(`makes one chain of what ${WRITERS} writers do at once, while several of it seal`, async () => {
    const writers = createPool(store.url, { max: WRITERS });
    const { sealer } = newSealer(store.pool);
    let writing = true;
    try {
      const sealing = Array.from({ length: 4 }, async () => {
        while (writing) await sealer.seal();
      });
      await Promise.all(
        Array.from({ length: WRITERS }, async (_, writer) => {
          for (let n = 0; n < ACTS; n += 1) await act(writers, tenant.id, `${writer} ${n}`);
        }),
      );
      writing = false;
      await Promise.all(sealing);
      await sealer.seal();
    } finally {
      writing = false;
      await writers.end();
    }
    const chain = await chainOf(store.pool, tenant.id);
    expect(chain.map(({ number }) => number)).toEqual(
      Array.from({ length: WRITERS * ACTS }, (_, n) => n + 1),
    );
    const head = chain.at(-1);
    expect(verdictOf(chain)).toEqual({
      ok: true,
      entries: WRITERS * ACTS,
      number: WRITERS * ACTS,
      hash: head?.hash,
      erased: 0,
    });
    expect(await checkpointOf(store.pool, tenant.id)).toMatchObject({
      number: head?.number,
      hash: head?.hash,
    });
  });

  test('gives an entry that is committed late the next place, and changes no earlier one', async () => {
    await withTransaction(store.pool, async (tx) => {
      await noteAct(tx, {
        tenantId: tenant.id,
        by: { actor: 'slow' },
        action: 'endpoint.enabled',
        target: anyId(randomUUID()),
      });
      await sealed([undefined, undefined]);
    });
    const before = await chainOf(store.pool, tenant.id);
    await newSealer(store.pool).sealer.seal();
    const after = await chainOf(store.pool, tenant.id);
    expect(before.map(({ actor }) => actor)).toEqual(['test', 'test']);
    expect(after.map(({ actor }) => actor)).toEqual(['test', 'test', 'slow']);
    expect(after.slice(0, 2)).toEqual(before);
    expect(verdictOf(after)).toMatchObject({ ok: true });
  });

  test('does nothing where another one holds the head, and goes on by batches', async () => {
    await sealed([undefined]);
    for (let n = 0; n < 5; n += 1) await act(store.pool, tenant.id);
    const seal = (limit: number) => withTransaction(store.pool, (tx) => sealEntries(tx, tenant.id, limit));
    await withTransaction(store.pool, async (tx) => {
      await tx.query('select from audit_heads where tenant_id = $1 for update', [tenant.id]);
      expect(await seal(10)).toBe(0);
    });
    expect([await seal(2), await seal(2), await seal(2), await seal(2)]).toEqual([2, 2, 1, 0]);
    expect(verdictOf(await chainOf(store.pool, tenant.id))).toMatchObject({ ok: true, entries: 6 });
  });

  test('seals the chains of all tenants, apart from each other', async () => {
    const others = await Promise.all(Array.from({ length: 5 }, () => store.newTenant()));
    for (const each of [tenant, ...others]) await act(store.pool, each.id);
    await newSealer(store.pool).sealer.seal();
    for (const each of [tenant, ...others])
      expect(verdictOf(await chainOf(store.pool, each.id))).toMatchObject({ ok: true, entries: 1 });
  });
});

describe('an entry', () => {
  test('is there only where its act is', async () => {
    const failed = withTransaction(store.pool, async (tx) => {
      await noteAct(tx, {
        tenantId: tenant.id,
        by: { actor: 'a' },
        action: 'tenant.changed',
        target: tenant.id,
      });
      throw new Error('the act failed');
    });
    await expect(failed).rejects.toThrow('the act failed');
    expect(await store.rows('select from audit_entries where tenant_id = $1', [tenant.id])).toEqual([]);
  });

  test.each([
    `update audit_entries set actor = 'another'`,
    `update audit_entries set detail = '{"n":1}'`,
    `update audit_entries set at = date_trunc('milliseconds', now())`,
    `update audit_entries set hash = sha256('x')`,
    'update audit_entries set number = number + 100',
    'update audit_entries set number = null, prev = null, hash = null',
    `update audit_entries set words = '{"reason":"another"}'`,
    `update audit_entries set salt = decode(repeat('00', 16), 'hex')`,
    `update audit_entries set words_digest = sha256('x')`,
    'update audit_entries set words = null, salt = null, words_digest = null',
    'delete from audit_entries',
    'truncate audit_entries',
    'update audit_checkpoints set number = number + 1',
    `update audit_checkpoints set hash = sha256('x')`,
    `update audit_checkpoints set jws = '{}'`,
    'delete from audit_checkpoints',
    'truncate audit_checkpoints',
    'update audit_heads set number = number - 1',
    `update audit_heads set hash = sha256('x')`,
    'delete from audit_heads',
  ])('is refused any change: %s', async (sql) => {
    await sealed(['why']);
    await newSealer(store.pool, 0).sealer.checkpoint();
    await expect(store.pool.query(sql)).rejects.toMatchObject({ code: 'RD004' });
  });

  test('loses its words where they are erased, and the chain verifies', async () => {
    await sealed(['a name', undefined, 'another name']);
    const before = await chainOf(store.pool, tenant.id);
    expect(before.map(({ words }) => words)).toEqual([
      { reason: 'a name' },
      null,
      { reason: 'another name' },
    ]);
    await store.rows(
      'update audit_entries set words = null, salt = null where tenant_id = $1 and number = 1',
      [tenant.id],
    );
    const after = await chainOf(store.pool, tenant.id);
    expect(JSON.stringify(after)).not.toContain('a name');
    expect(verdictOf(after)).toMatchObject({ ok: true, entries: 3, erased: 1 });
    expect(after.map(({ hash }) => hash)).toEqual(before.map(({ hash }) => hash));
  });

  test('that was changed, removed or slipped in by who owns the database is found and named', async () => {
    const verdict = async () => verdictOf(await chainOf(store.pool, tenant.id));
    await sealed([undefined, undefined, undefined, undefined]);
    await tamper(`update audit_entries set actor = 'another' where tenant_id = $1 and number = 2`, [
      tenant.id,
    ]);
    expect(await verdict()).toEqual({ ok: false, fault: 'changed', number: 2 });
    await tamper(`update audit_entries set actor = 'test' where tenant_id = $1 and number = 2`, [tenant.id]);
    expect(await verdict()).toMatchObject({ ok: true });
    await tamper(`update audit_entries set number = number + 1 where tenant_id = $1 and number = 4`, [
      tenant.id,
    ]);
    await tamper(
      `insert into audit_entries (tenant_id, actor, action, target_kind, target_id, number, prev, hash)
       select tenant_id, 'another', action, target_kind, target_id, 4, prev, sha256('x')
       from audit_entries where tenant_id = $1 and number = 5`,
      [tenant.id],
    );
    expect(await verdict()).toEqual({ ok: false, fault: 'inserted', number: 4 });
    await tamper('delete from audit_entries where tenant_id = $1 and number in (3, 4)', [tenant.id]);
    expect(await verdict()).toEqual({ ok: false, fault: 'missing', number: 3 });
  });
});

test('a new admin key of the installation is entered once, with how many it replaced', async () => {
  const entries = async () =>
    (await store.rows(`select actor, detail from audit_entries where action = 'key.made' order by id`)).map(
      ({ actor, detail }) => ({ actor, ...detail }),
    );
  const [first, second] = [randomBytes(32), randomBytes(32)];
  for (const hash of [first, first, second, second]) await replaceAdminKeys(store.pool, [hash]);
  const made = { actor: 'installation', scopes: ['admin'] };
  expect(await entries()).toEqual([
    { ...made, revoked: 0 },
    { ...made, revoked: 1 },
  ]);
  await replaceAdminKeys(store.pool, [first]);
  expect(await entries()).toHaveLength(3);
  const { rows } = await store.pool.query(
    'select count(*)::int as keys from api_keys where revoked_at is null',
  );
  expect(rows[0].keys).toBe(1);
});

test('two admin keys work beside each other while they are rotated, and the one that goes is entered', async () => {
  const [before, next] = [randomBytes(32), randomBytes(32)];
  const working = async () => {
    const keys = await store.rows(
      'select key_hash from api_keys where tenant_id is null and revoked_at is null order by key_hash',
    );
    return keys.map(({ key_hash }) => key_hash.toString('hex'));
  };
  const hex = (...hashes: Buffer[]) => hashes.map((hash) => hash.toString('hex')).sort();
  await replaceAdminKeys(store.pool, [before, before]);
  expect(await working()).toEqual(hex(before));
  await replaceAdminKeys(store.pool, [before, next]);
  expect(await working()).toEqual(hex(before, next));
  await replaceAdminKeys(store.pool, [next, before]);
  expect(await working()).toEqual(hex(before, next));
  const revoked = async () =>
    (await store.rows(`select id from audit_entries where action = 'key.revoked' order by id`)).length;
  const earlier = await revoked();
  await replaceAdminKeys(store.pool, [next]);
  expect(await working()).toEqual(hex(next));
  expect(await revoked()).toBe(earlier + 1);
});

describe('a checkpoint', () => {
  test('is kept and logged once where there are new entries, and then after its time', async () => {
    await sealed([undefined, undefined]);
    const first = newSealer(store.pool);
    await Promise.all([first.sealer.checkpoint(), first.sealer.checkpoint(), first.sealer.checkpoint()]);
    const chain = await chainOf(store.pool, tenant.id);
    const told = (lines: string[]) =>
      lines.map((line) => JSON.parse(line)).filter(({ tenantId }) => tenantId === chain[0]?.tenant);
    expect(told(first.lines)).toMatchObject([
      { event: 'audit.checkpoint', level: 'info', number: 2, hash: chain[1]?.hash },
    ]);
    await sealed([undefined]);
    const soon = newSealer(store.pool);
    await soon.sealer.checkpoint();
    expect(told(soon.lines)).toEqual([]);
    const later = newSealer(store.pool, 0);
    await later.sealer.checkpoint();
    await later.sealer.checkpoint();
    expect(told(later.lines)).toMatchObject([{ number: 3 }]);
    const kept = await listCheckpoints(store.pool, tenant.id, { limit: 10 });
    expect(kept.map(({ number }) => number)).toEqual([3, 2]);
    expect(verdictOf(await chainOf(store.pool, tenant.id), kept)).toMatchObject({ ok: true });
  });

  test('is signed where it is kept and where it is logged, and read from either', async () => {
    await sealed([undefined, undefined]);
    const { sealer, lines } = newSealer(store.pool, 0);
    await sealer.checkpoint();
    const keys = {
      keys: (await listSigningKeys(store.pool)).map(({ id, publicKey }) => ({
        ...{ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', kid: showId('signingKey', id) },
        x: publicKey.toString('base64url'),
      })),
    };
    const kept = await listCheckpoints(store.pool, tenant.id, { limit: 10 });
    const logged = lines.filter((line) => line.includes(showId('tenant', tenant.id)));
    for (const text of [JSON.stringify(kept), logged.join('')]) {
      const read = readCheckpoints([{ name: 'kept', text }], keys);
      expect(read).toMatchObject({ ok: true, signed: 1, checkpoints: [{ number: 2, hash: kept[0]?.hash }] });
    }
    const forged = logged.join('').replace(/"number":2/, '"number":3');
    expect(readCheckpoints([{ name: 'kept', text: forged }], keys)).toMatchObject({
      why: 'bad_signature',
    });
  });

  test('is none before the first entry', async () => {
    expect(await checkpointOf(store.pool, tenant.id)).toBeUndefined();
  });
});

describe('an operation of the platform', () => {
  const actionsOf = async (tenantId: Id<'tenant'>) =>
    (
      await store.rows(
        'select action, target_id, words from audit_entries where tenant_id = $1 order by id',
        [tenantId],
      )
    ).map(({ action, target_id: target, words }) => ({ action, target, words }));

  test.each(['all', 'named'] as const)(
    'is entered in the audit of each tenant that it spans: %s',
    async (which) => {
      const named = await store.newTenant();
      const other = await store.newTenant();
      const words = { reason: 'an outage' };
      const { operationId } = await store.retry(
        PLATFORM_TENANT,
        { filter: { state: ['failed'] }, tenants: which === 'all' ? 'all' : [named.id, anyId(randomUUID())] },
        words,
      );
      await controlOperation(
        store.deps,
        PLATFORM_TENANT.id,
        operationId,
        { do: 'pause' },
        { actor: 'admin' },
      );
      const made = await insertTenant(store.pool, { handle: `later-${which}` });
      await cancelAsInTemporal(store.deps, operationId);
      const acts = ['operation.accepted', 'operation.paused', 'operation.cancelled'];
      const told = (said: object | null) =>
        acts.map((action, n) => ({ action, target: operationId, words: n === 0 ? said : null }));
      expect(await actionsOf(PLATFORM_TENANT.id)).toEqual(expect.arrayContaining(told(words)));
      expect(await actionsOf(named.id)).toEqual(told(null));
      expect(await actionsOf(other.id)).toEqual(which === 'all' ? told(null) : []);
      expect(await actionsOf(made?.id as Id<'tenant'>)).toEqual([]);
    },
  );
});
