import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { enableEndpoint } from '../../../src/operations/switch-endpoint.ts';
import { EndpointMemory, heedLifting } from '../../../src/sending/endpoint-memory.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE } from '../../../src/store/db/queryable.ts';
import { forgetProtection, reactToSigns } from '../../../src/store/sending/endpoint-health.ts';
import { raiseFloors } from '../../../src/store/sending/pacing.ts';
import { readyEndpoints } from '../../../src/store/sending/ready-endpoints.ts';
import { findEndpoint } from '../../../src/store/tenancy/endpoints.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** The reasons that hold an endpoint back, told apart and lifted. */

const store = useStore();
let tenant: TestTenant;
let id: Id<'endpoint'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  id = await store.newEndpoint(tenant);
});

const HOUR = 3_600_000;
const quiet = { overloaded: 0, down: 0, alive: 0, inFlight: 1 };

async function react(signs: Partial<typeof quiet>): Promise<void> {
  await withTransaction(store.pool, (db) => reactToSigns(db, new Map([[id, { ...quiet, ...signs }]])));
}

async function shown(): Promise<{ circuit?: string; waits: string[] }> {
  const endpoint = await findEndpoint(store.pool, tenant.id, id);
  return { circuit: endpoint?.circuit ?? '', waits: (endpoint?.waitingFor ?? []).map(({ what }) => what) };
}

describe('an endpoint that asked for time', () => {
  test('is not taken for one whose circuit is closed and that nothing holds back', async () => {
    await raiseFloors(store.pool, new Map([[id, HOUR]]));
    expect(await shown()).toEqual({ circuit: 'closed', waits: ['retry_after'] });
  });

  test('has both named where its circuit is open, too', async () => {
    await react({ down: 20 });
    expect(await shown()).toEqual({ circuit: 'open', waits: ['circuit'] });
    await raiseFloors(store.pool, new Map([[id, HOUR]]));
    expect(await shown()).toEqual({ circuit: 'open', waits: ['circuit', 'retry_after'] });
  });

  test('has its time when its circuit closes by the answer that asks for it', async () => {
    await react({ down: 20 });
    await store.rows(`update endpoint_pacing set floor_until = now() where endpoint_id = $1`, [id]);
    // As the recorder does it: first the floor, then what the answer says of its health.
    await raiseFloors(store.pool, new Map([[id, HOUR]]));
    await react({ alive: 1, overloaded: 1 });
    expect(await shown()).toEqual({ circuit: 'closed', waits: ['retry_after'] });
  });

  test('keeps it when its protection is switched off, which forgets the circuit', async () => {
    await react({ down: 20 });
    await raiseFloors(store.pool, new Map([[id, HOUR]]));
    await forgetProtection(store.pool, id);
    expect(await shown()).toEqual({ circuit: 'closed', waits: ['retry_after'] });
  });

  test('loses it, and all else, when it is enabled, though it is enabled already', async () => {
    await react({ down: 20 });
    await raiseFloors(store.pool, new Map([[id, HOUR]]));
    await store.rows(
      `update endpoint_pacing set trial_until = now() + interval '1 minute' where endpoint_id = $1`,
      [id],
    );
    expect(await enableEndpoint(store.deps, tenant.id, id)).toBe(true);
    expect(await shown()).toEqual({ circuit: 'closed', waits: [] });
    await store.ingest(tenant, 1);
    const [ready] = await readyEndpoints(store.pool, LIVE_LANE, undefined, [id]);
    expect(ready).toMatchObject({ paced: false });
    expect(ready?.claimableInMs).toBeLessThanOrEqual(0);
  });
});

test('a sender that remembers a Retry-After forgets it when it reads that it was lifted', async () => {
  await store.ingest(tenant, 1);
  const read = async () => (await readyEndpoints(store.pool, LIVE_LANE, undefined, [id]))[0]?.liftedAtMs ?? 0;
  const memory = new EndpointMemory();
  const asked = {
    outcome: 'retryable',
    faultCode: 'http_429',
    httpStatus: 429,
    retryAfterMs: HOUR,
    mayHaveArrived: false,
  } as const;
  heedLifting(memory.of(id), await read());
  memory.note(id, asked, 1, 0);
  heedLifting(memory.of(id), await read());
  expect(memory.of(id).floorUntilMs).toBeGreaterThan(0);
  await enableEndpoint(store.deps, tenant.id, id);
  heedLifting(memory.of(id), await read());
  expect(memory.of(id).floorUntilMs).toBe(0);
  memory.note(id, asked, 1, 0);
  heedLifting(memory.of(id), await read());
  expect(memory.of(id).floorUntilMs).toBeGreaterThan(0);
});
