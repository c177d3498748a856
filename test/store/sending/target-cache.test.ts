import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { EndpointConfig } from '../../../src/domain/endpoints/endpoint.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { rotateSecret } from '../../../src/operations/rotate-secret.ts';
import { generateSecret } from '../../../src/outbound/signature.ts';
import { createSealer } from '../../../src/sealing/sealing.ts';
import { endpointHeadersContext, endpointSecretContext } from '../../../src/sealing/sealing-contexts.ts';
import { TargetCache } from '../../../src/sending/target-cache.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE } from '../../../src/store/db/queryable.ts';
import { readyEndpoints } from '../../../src/store/sending/ready-endpoints.ts';
import { insertEndpointSecret } from '../../../src/store/tenancy/endpoint-secrets.ts';
import { setEndpointState } from '../../../src/store/tenancy/endpoints.ts';
import { eventually } from '../../support/eventually.ts';
import { changeEndpoint, ENDPOINT, type TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** A sender's copy of an endpoint is as old as the endpoint says, and not as a clock says. */

const sealer = createSealer(randomBytes(32));
const store = useStore({ connections: 4 });
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;
let cache: TargetCache;
let version: number;

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant);
  version = 1;
  await insertEndpointSecret(store.pool, endpointId, sealedSecret());
  cache = new TargetCache(store.pool, sealer);
});

function sealedSecret(): Buffer {
  return sealer.seal(generateSecret(), endpointSecretContext(endpointId));
}

/** The target of an item that is claimed now, by this cache. */
async function claimed(by = cache) {
  await store.ingest(tenant, 1);
  const claim = await store.claim({ endpointIds: [endpointId] });
  const target = (await by.prepare(claim.items))(endpointId, version);
  await store.record(claim, 200);
  return target;
}

async function change(config: Partial<EndpointConfig>): Promise<void> {
  version += 1;
  await changeEndpoint(store.pool, tenant, endpointId, version, { ...ENDPOINT, ...config });
}

async function rotate(oldValidForMs: number) {
  return rotateSecret(store.deps, tenant.id, endpointId, { sealed: sealedSecret(), oldValidForMs });
}

/** Bytes of its secrets, to tell them apart. */
function keysOf({ secrets }: Awaited<ReturnType<typeof claimed>>): string[] {
  return secrets.map(({ key }) => key.export().toString('hex'));
}

describe('a sender’s copy of an endpoint', () => {
  test('is not read again as long as nothing has changed', async () => {
    expect(await claimed()).toBe(await claimed());
  });

  test('has the new secret alone from a rotation on that leaves the old one no time', async () => {
    const [old] = keysOf(await claimed());
    await rotate(0);
    const now = keysOf(await claimed());
    expect(now).toHaveLength(1);
    expect(now).not.toContain(old);
  });

  test('has both secrets from a rotation on that leaves the old one some time, and the new one alone when that is over', async () => {
    const [old] = keysOf(await claimed());
    await rotate(60_000);
    const both = keysOf(await claimed());
    expect(both).toHaveLength(2);
    expect(both[1]).toBe(old);
    await rotate(1_500);
    expect(keysOf(await claimed())).toHaveLength(3);
    // Nothing is changed any more: time alone ends them.
    await eventually('the old ones have run out', async () => keysOf(await claimed()).length === 1);
    const [{ ended }] = await store.rows(
      'select count(*) filter (where expires_at <= now())::int as ended from endpoint_secrets where endpoint_id = $1',
      [endpointId],
    );
    expect(ended).toBe(2);
  });

  const changes: [string, Partial<EndpointConfig>, object][] = [
    ['the meaning of a 202', { requireAck: true }, { requireAck: true }],
    ['whether it is told of traces', { traceparent: true }, { traceparent: true }],
    ['its policy', { retry: { ...ENDPOINT.retry, maxAttempts: 1 } }, { policy: { maxAttempts: 1 } }],
    ['its policy for unknown outcomes', { onAmbiguous: 'hold' }, { onAmbiguous: 'hold' }],
    ['its window', { reconcileWithinMs: 7 }, { reconcileWithinMs: 7 }],
    ['its time limit', { timeoutMs: 77 }, { timeoutMs: 77 }],
    ['its order', { ordered: true }, { ordered: true }],
    ['its preset', { preset: 'zen-mesh' }, { preset: 'zen-mesh' }],
    ['its address', { url: 'http://127.0.0.1:9/new' }, { url: 'http://127.0.0.1:9/new' }],
  ];
  test.each(changes)('follows a change of %s with the next claim', async (_what, config, expected) => {
    expect(await claimed()).not.toMatchObject(expected);
    await change(config);
    expect(await claimed()).toMatchObject(expected);
  });

  test('follows a change of its headers, and policies also where the version is an earlier one', async () => {
    const seal = (headers: object) =>
      sealer.seal(JSON.stringify(headers), endpointHeadersContext(endpointId));
    await change({ sealedHeaders: seal({ 'x-key': 'one' }) });
    expect((await claimed()).headers).toEqual({ 'x-key': 'one' });
    const earlier = version;
    await change({ sealedHeaders: seal({ 'x-key': 'two' }), requireAck: true });
    expect((await claimed()).headers).toEqual({ 'x-key': 'two' });
    const [{ revision }] = await store.rows('select revision from endpoints where id = $1', [endpointId]);
    const lookUp = await cache.prepare([{ endpointId, version: earlier, revision }]);
    expect(lookUp(endpointId, earlier)).toMatchObject({ headers: { 'x-key': 'one' }, requireAck: true });
  });

  test('is right for every sender, also after another one had it', async () => {
    const others = Array.from({ length: 3 }, () => new TargetCache(store.pool, sealer));
    for (const other of others) await claimed(other);
    await rotate(0);
    const seen = new Set<string>();
    for (const other of others) for (const key of keysOf(await claimed(other))) seen.add(key);
    expect(seen.size).toBe(1);
  });
});

describe('a grant that was made for an earlier revision of an endpoint', () => {
  async function listed() {
    const found = (await readyEndpoints(store.pool, LIVE_LANE)).find((e) => e.endpointId === endpointId);
    if (!found) throw new Error('the endpoint has no work');
    return found;
  }

  test.each<[string, () => Promise<unknown>]>([
    ['a rate is set', () => change({ ratePerSecond: 1 })],
    ['its time limit is another', () => change({ timeoutMs: 5 })],
    ['it is disabled', () => setEndpointState(store.pool, tenant.id, endpointId, 'disabled')],
    ['its secret is rotated', () => rotate(0)],
  ])('takes nothing after %s, and says so', async (_what, act) => {
    await store.ingest(tenant, 2);
    const { revision } = await listed();
    await act();
    const claim = await store.claim({ grants: [{ endpointId, count: 2, revision }] });
    expect(claim).toMatchObject({ items: [], withoutPayload: [], stale: [endpointId] });
    const again = await store.claim({
      grants: [{ endpointId, count: 2, revision: (await listed()).revision }],
    });
    expect([again.items.length, again.stale]).toEqual([2, []]);
  });
});

test('a rotation waits for items that were claimed before and are not recorded yet, and not for later ones', async () => {
  await store.ingest(tenant, 2);
  const before = await store.claim({ endpointIds: [endpointId], count: 1 });
  let answered = false;
  const rotating = rotate(0).then(() => {
    answered = true;
  });
  await eventually('it is rotated', async () => {
    const rows = await store.rows('select from endpoint_secrets where endpoint_id = $1', [endpointId]);
    return rows.length === 2;
  });
  expect(answered).toBe(false);
  await withTransaction(store.pool, (db) => db.query('select pg_sleep(0.2)'));
  expect(answered).toBe(false);
  await store.claim({ endpointIds: [endpointId], count: 1 });
  await store.record(before, 200);
  await rotating;
});
