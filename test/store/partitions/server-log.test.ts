import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { weekOfName } from '../../../src/domain/partitions/weeks.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { closeWeek } from '../../../src/store/partitions/week-partitions.ts';
import { missingWeekOf } from '../../../src/store/partitions/without-partition.ts';
import { idOf } from '../../support/partitions/id-of.ts';
import { partitionsOf, playWeeks, WEEK_MS } from '../../support/partitions/weeks.ts';
import { serverLogOf } from '../../support/server-log.ts';
import { createTestStore } from '../../support/store/test-store.ts';
import { closedAfterEach } from '../../support/use.ts';

const closing = closedAfterEach();

const INSERTS = {
  payloads: 'insert into payloads (event_id, tenant_id, body) values ($1, $1, $2)',
  attempts: `insert into attempts (execution_id, number, tenant_id, started_at, duration_ms, outcome, response_excerpt)
    values ($1, 1, $1, now(), 1, 'delivered', convert_to($2, 'UTF8'))`,
};

test.each(Object.entries(INSERTS))(
  'of a row of %s that finds no open partition the log of the server has the id, and nothing else',
  async (table, insert) => {
    const store = closing(await createTestStore());
    await playWeeks(store, 6);
    const [before = '', closed = ''] = await partitionsOf(store.pool, table);
    const secret = randomBytes(12).toString('hex');
    /** Tries to write a row, and says what the log has of it, and the week that it is refused for. */
    const refused = async (id: string) => {
      let error: unknown;
      const log = await serverLogOf(store.url, async (db) => {
        error = await db.query(insert, [id, secret]).then(
          () => undefined,
          (reason: unknown) => reason,
        );
      });
      const tells = [secret, Buffer.from(secret).toString('hex')].some((text) => log.includes(text));
      return { tells, names: log.includes(id), missing: missingWeekOf(error) };
    };
    const weeks = [before, closed].map((name) => weekOfName(name) ?? 0);
    const [ofBefore, ofClosed] = weeks.map((week) => idOf(week + 1_000));
    const ahead = idOf(Date.now() + 40 * WEEK_MS);

    // The way of a version before, which shows that the log would have it.
    await store.rows(`alter table ${before} add constraint week_closed check (false) not valid`);
    expect(await refused(ofBefore ?? '')).toEqual({
      tells: true,
      names: true,
      missing: { table, week: weeks[0] },
    });
    await withTransaction(store.pool, (tx) => closeWeek(tx, closed));
    expect(await refused(ofClosed ?? '')).toEqual({
      tells: false,
      names: true,
      missing: { table, week: weeks[1] },
    });
    expect(await refused(ahead)).toMatchObject({ tells: false, names: true });
  },
);
