import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { createPool } from '../../../src/store/db/pool.ts';
import { readEndedHorizon } from '../../../src/surfaces/stedi/store/ended-horizon.ts';
import {
  type EndedPosition,
  endedExecutions,
  LAST_ID,
} from '../../../src/surfaces/stedi/store/file-executions.ts';
import { listExecutions } from '../../../src/surfaces/stedi/store/listed-executions.ts';
import { eventually } from '../../support/eventually.ts';
import { sideBySide } from '../../support/side-by-side.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';
import { seedFile } from '../../support/surfaces/seed-file.ts';

const START: EndedPosition = { processedAtMicros: '0', id: LAST_ID };

const store = useStore();
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeAll(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant);
});
afterEach(() => store.rows('delete from executions'));

async function open(): Promise<string> {
  const { executionIds } = await seedFile(store.pool, {
    tenantId: tenant.id,
    endpointId,
    runs: [{ state: 'queued' }],
  });
  return executionIds[0] ?? '';
}

async function ended(after = START, limit = 100, lagMs = 0) {
  const { before } = await readEndedHorizon(store.pool, lagMs);
  await listExecutions(store.pool, tenant.id);
  return endedExecutions(store.pool, tenant.id, { after, before, limit });
}

const END = `update executions set state = 'ignored', reason = 'endpoint_disabled', finished_at = now() where id = $1`;

describe('an ended execution', () => {
  test('is not read past a transaction that runs, written or not, and is read in order once that has ended', async () => {
    const [slow, quick] = [await open(), await open()];
    const pool = createPool(store.url, { max: 1 });
    const session = await pool.connect();
    try {
      await session.query('begin');
      await session.query('select now()');
      await store.rows(END, [quick]);
      // It has written nothing yet, and will end an execution at an earlier time than one that was committed long ago.
      expect(await ended()).toEqual([]);
      await session.query(END, [slow]);
      expect(await ended()).toEqual([]);
      await session.query('commit');
      expect((await ended()).map(({ id }) => id)).toEqual([slow, quick]);
    } finally {
      session.release();
      await pool.end();
    }
  });

  test('is read once, while many sessions end executions in transactions far longer than the lag', async () => {
    const ids = await Promise.all(Array.from({ length: 120 }, open));
    const read = async () => {
      const seen: string[] = [];
      let after = START;
      await eventually(
        'everything that ended is read',
        async () => {
          const page = await ended(after, 5, 100);
          seen.push(...page.map(({ id }) => id));
          const last = page.at(-1);
          if (last?.processedAtMicros) after = { processedAtMicros: last.processedAtMicros, id: last.id };
          return seen.length >= ids.length;
        },
        { withinMs: 20_000, otherwise: () => `${seen.length} of ${ids.length}` },
      );
      return seen;
    };
    const readers = [read(), read()];
    await sideBySide(store.url, 10, ids, async (db, id, n) => {
      await db.query('begin');
      await db.query('select now(), pg_sleep($1)', [(n % 5) / 10]);
      await db.query(END, [id]);
      await db.query('select pg_sleep($1)', [(n % 3) / 20]);
      await db.query('commit');
    });
    for (const seen of await Promise.all(readers)) expect([...seen].sort()).toEqual([...ids].sort());
  });

  test('is not read within the last lag', async () => {
    await store.rows(END, [await open()]);
    expect(await ended(START, 10, 3_600_000)).toEqual([]);
    expect(await ended(START, 10, 0)).toHaveLength(1);
  });
});
