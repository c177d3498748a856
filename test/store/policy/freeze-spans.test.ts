import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type FreezeWindow, frozenTimes, WEEKDAYS } from '../../../src/domain/policy/freeze-windows.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { freezeWindowsChore } from '../../../src/operations/policy/freeze-windows-chore.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import {
  extendFreezeSpans,
  forgetFreezeSpans,
  replaceFreezeSpans,
  tenantsToExtend,
} from '../../../src/store/policy/freeze-spans.ts';
import { PLATFORM_TENANT } from '../../../src/store/tenancy/tenants.ts';
import { freeze } from '../../support/store/freeze.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const HOUR = 3_600;
const DAY = 24 * HOUR;

const store = useStore();
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant);
});

const ALWAYS: FreezeWindow = { zone: 'UTC', days: [...WEEKDAYS], from: '00:00', to: '24:00' };
const NIGHTS: FreezeWindow = { zone: 'Europe/Berlin', days: [...WEEKDAYS], from: '22:00', to: '06:00' };

const replace = (windows: FreezeWindow[]) =>
  withTransaction(store.pool, (tx) => replaceFreezeSpans(tx, tenant.id, windows));

async function bulk(): Promise<Id<'operation'>> {
  await store.ingest(tenant, 3);
  await store.attempt(404, { endpointIds: [endpointId] });
  const { operationId } = await store.retry(tenant, { filter: {} });
  await store.select(operationId);
  return operationId;
}

const claimed = async (workedBy: Id<'operation'>) =>
  (await store.claim({ workedBy, endpointIds: [endpointId], count: 1 })).items.length;

/** The spans of the tenant, in whole hours from now. */
const spans = (where = 'true') =>
  store.rows(
    `select endpoint_id, round((extract(epoch from from_at) - extract(epoch from clock_timestamp())) / 3600)::float8 as from,
       round((extract(epoch from to_at) - extract(epoch from clock_timestamp())) / 3600)::float8 as to
     from freeze_spans where tenant_id = $1 and ${where} order by endpoint_id nulls first, from_at`,
    [tenant.id],
  );

describe('the spans of windows', () => {
  test('hold from the commit on, and no longer once the windows are taken away', async () => {
    const operationId = await bulk();
    expect(await claimed(operationId)).toBe(1);
    await replace([ALWAYS]);
    expect(await claimed(operationId)).toBe(0);
    await replace([]);
    expect(await claimed(operationId)).toBe(1);
    expect(await spans()).toEqual([{ endpoint_id: null, from: 0, to: 0 }]);
    expect(await tenantsToExtend(store.pool)).not.toContain(tenant.id);
  });

  test('are known for two weeks, and end with one that never does', async () => {
    await replace([NIGHTS, { ...ALWAYS, endpoints: [endpointId], days: ['mon'] }]);
    const known = await spans();
    for (const scope of [null, endpointId]) {
      const own = known.filter((span) => span.endpoint_id === scope);
      expect(own.at(-1)).toEqual({
        endpoint_id: scope,
        from: (14 * DAY) / HOUR,
        to: Number.POSITIVE_INFINITY,
      });
      expect(own.length).toBeGreaterThan(10);
    }
    const [calendar] = await store.rows(
      `select windows, known_until > now() + interval '13 days 23 hours' as ahead from freeze_calendars where tenant_id = $1`,
      [tenant.id],
    );
    expect(calendar).toEqual({
      windows: [NIGHTS, { ...ALWAYS, endpoints: [endpointId], days: ['mon'] }],
      ahead: true,
    });
  });

  test('that are changed stay as they were for the time before', async () => {
    await freeze(store.pool, tenant.id, { fromSeconds: -3 * HOUR, toSeconds: 5 * HOUR });
    await freeze(store.pool, tenant.id, { fromSeconds: 20 * HOUR, toSeconds: 25 * HOUR });
    await replace([]);
    expect(await spans()).toEqual([{ endpoint_id: null, from: -3, to: 0 }]);
    await replace([ALWAYS]);
    await replace([{ ...ALWAYS, endpoints: [endpointId] }]);
    expect(await spans('from_at < now() and to_at > now()')).toMatchObject([{ endpoint_id: endpointId }]);
  });

  test('have every open operation look again that may send something there, and no other', async () => {
    const running = await bulk();
    const paused = await bulk();
    await store.rows(`update operations set control = 'pause', state = 'paused' where id = $1`, [paused]);
    const { operationId: platform } = await store.retry(
      { ...PLATFORM_TENANT },
      { filter: {}, tenants: 'all' },
    );
    const other = await store.newTenant();
    await store.newEndpoint(other);
    const { operationId: foreign } = await store.retry(other, { filter: {} });
    const woken = await replace([ALWAYS]);
    const ids = woken.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining([running, platform]));
    expect(ids).not.toContain(paused);
    expect(ids).not.toContain(foreign);
    expect(
      await store.rows(
        'select next_event, control_revision > control_seen as behind from operations where id = $1',
        [running],
      ),
    ).toEqual([{ next_event: 'control', behind: true }]);
  });

  test('are written once where two change them at once', async () => {
    await Promise.all(Array.from({ length: 8 }, (_, n) => replace(n % 2 ? [ALWAYS] : [NIGHTS, ALWAYS])));
    expect(await spans('to_at > now() and from_at <= now()')).toHaveLength(1);
    expect(await spans(`to_at = 'infinity'`)).toHaveLength(1);
  });
});

describe('the next spans', () => {
  const chore = (count: (action: string) => void = () => {}) =>
    freezeWindowsChore({
      pool: store.pool,
      stop: new AbortController().signal,
      count,
      wakeLiveLanes: async () => {},
      attempt: (_, work) => work().catch(() => {}),
    });

  /** Lets so many days pass since the windows were worked out. */
  const passDays = async (days: number) => {
    await store.rows(
      `update freeze_calendars set known_until = known_until - $2 * interval '1 day' where tenant_id = $1`,
      [tenant.id, days],
    );
    await store.rows(
      `update freeze_spans set from_at = from_at - $2 * interval '1 day', to_at = to_at - $2 * interval '1 day'
       where tenant_id = $1`,
      [tenant.id, days],
    );
  };

  test('are worked out a week before they are needed', async () => {
    await replace([{ ...NIGHTS, zone: 'UTC' }]);
    await passDays(6);
    expect(await tenantsToExtend(store.pool)).not.toContain(tenant.id);
    await passDays(2);
    expect(await tenantsToExtend(store.pool)).toContain(tenant.id);
    const counted: string[] = [];
    await chore((action) => counted.push(action)).run();
    expect(counted).toContain('freeze_windows_extended');
    expect(await tenantsToExtend(store.pool)).not.toContain(tenant.id);
    expect((await spans()).at(-1)).toMatchObject({ from: (14 * DAY) / HOUR });
  });

  test('are not known where nobody has: bulk work rests, and goes on once they are', async () => {
    const operationId = await bulk();
    // A window on no day: all that can hold the endpoint is that nothing more is known.
    await replace([{ ...ALWAYS, days: [], endpoints: [endpointId] }]);
    expect(await claimed(operationId)).toBe(1);
    await passDays(15);
    expect(await claimed(operationId)).toBe(0);
    await chore().run();
    expect(await claimed(operationId)).toBe(1);
  });

  test('of a tenant whose windows cannot be worked out keep no other waiting', async () => {
    const broken = await store.newTenant();
    await store.rows(
      `insert into freeze_calendars values ($1, '[{"zone": "Europe/Atlantis", "days": ["mon"], "from": "00:00", "to": "01:00"}]', now())`,
      [broken.id],
    );
    await replace([NIGHTS]);
    await passDays(10);
    await chore().run();
    expect(await tenantsToExtend(store.pool)).toEqual([broken.id]);
    await store.rows('delete from freeze_calendars where tenant_id = $1', [broken.id]);
  });

  test('are worked out by one of several', async () => {
    await replace([NIGHTS]);
    await passDays(10);
    const done = await Promise.all(
      Array.from({ length: 6 }, () => withTransaction(store.pool, (tx) => extendFreezeSpans(tx, tenant.id))),
    );
    expect(done.filter(Boolean)).toHaveLength(1);
  });

  test('replace those that are over, once no operation is open that they may have held', async () => {
    const operationId = await bulk();
    await store.rows(`update operations set created_at = now() - interval '5 hours' where id = $1`, [
      operationId,
    ]);
    for (const end of [-6, -4, -0.5])
      await freeze(store.pool, tenant.id, { fromSeconds: (end - 1) * HOUR, toSeconds: end * HOUR });
    await store.rows(`update operations set created_at = now() where tenant_id <> $1`, [tenant.id]);
    await forgetFreezeSpans(store.pool);
    expect(await spans()).toHaveLength(2);
    await store.rows(`update operations set created_at = now() where id = $1`, [operationId]);
    await forgetFreezeSpans(store.pool);
    expect(await spans()).toHaveLength(1);
  });
});

describe('in Postgres', () => {
  const anySpans = fc
    .uniqueArray(fc.integer({ min: 0, max: 400 }), { maxLength: 12 })
    .map((bounds) => bounds.sort((a, b) => a - b))
    .map((bounds) => bounds.slice(0, bounds.length - (bounds.length % 2)));

  test('a clock that stands still within spans runs out when as much time as it has lies outside of them', async () => {
    await fc.assert(
      fc.asyncProperty(
        anySpans,
        fc.integer({ min: 0, max: 300 }),
        fc.integer({ min: 0, max: 300 }),
        async (bounds, since, lasting) => {
          const within = (at: number) =>
            bounds.some((from, n) => n % 2 === 0 && at >= from && at < (bounds[n + 1] ?? from));
          let [at, left] = [since, lasting];
          // Where it runs out at the beginning of a span, it has run out.
          for (; left > 0; at++) if (!within(at)) left -= 1;
          const still = `(select coalesce(range_agg(tstzrange(to_timestamp(a * 60), to_timestamp(b * 60))), '{}')
            from unnest($1::int[], $2::int[]) as t(a, b))`;
          const [row] = await store.rows(
            `select (extract(epoch from runs_out_at(${still}, to_timestamp($3 * 60), $4 * 60000)) / 60)::float8 as ends,
               ran_ms(${still}, to_timestamp($3 * 60), to_timestamp($5 * 60)) / 60000 as ran`,
            [bounds.filter((_, n) => n % 2 === 0), bounds.filter((_, n) => n % 2 === 1), since, lasting, at],
          );
          expect(row).toEqual({ ends: at, ran: lasting });
        },
      ),
      { numRuns: 150 },
    );
  });

  test('stands still whatever the time zone of the session is', async () => {
    const { rows } = await withTransaction(store.pool, async (tx) => {
      await tx.query(`set local timezone = 'Europe/Berlin'`);
      return tx.query<{ ends: number }>(
        `select (extract(epoch from runs_out_at(tstzmultirange(tstzrange('2026-03-28T12:00Z', '2026-03-30T12:00Z')),
           '2026-03-28T11:00Z', 7200000) - timestamptz '2026-03-30T12:00Z') / 3600)::float8 as ends`,
      );
    });
    expect(rows).toEqual([{ ends: 1 }]);
  });

  const YEAR = [Date.parse('2026-01-01T00:00Z'), Date.parse('2027-01-01T00:00Z')] as const;

  test.each([
    ['Europe/Berlin', '02:30', '03:30'],
    ['America/New_York', '23:15', '02:15'],
    ['Australia/Lord_Howe', '01:45', '02:15'],
    ['Pacific/Chatham', '02:00', '04:00'],
    ['Asia/Kathmandu', '00:00', '24:00'],
  ])(
    'the clocks of %s show the times of a window (%s to %s) at just those minutes of a year',
    async (zone, from, to) => {
      const days = WEEKDAYS.slice(2);
      const found = frozenTimes([{ zone, days, from, to }], ...YEAR)[0]?.spans ?? [];
      const [row] = await store.rows(
        `with minutes as (
        select at, to_char(at at time zone $1, 'HH24:MI') as clock, extract(isodow from at at time zone $1)::int as day
        from generate_series(to_timestamp($2::float8 / 1000), to_timestamp($3::float8 / 1000) - interval '1 minute',
          interval '1 minute') as g(at)
      ), spans as (
        select range_agg(tstzrange(to_timestamp(a / 1000), to_timestamp(b / 1000))) as all
        from unnest($4::float8[], $5::float8[]) as t(a, b)
      )
      select count(*)::int as minutes, count(*) filter (where (at <@ spans.all) is distinct from
        case when $6 < $7 then day >= 3 and clock >= $6 and clock < $7
          else (day >= 3 and clock >= $6) or (day in (1, 4, 5, 6, 7) and clock < $7) end)::int as wrong
      from minutes, spans`,
        [zone, ...YEAR, found.map(({ fromMs }) => fromMs), found.map(({ toMs }) => toMs), from, to],
      );
      expect(row).toEqual({ minutes: 365 * 24 * 60, wrong: 0 });
    },
  );
});
