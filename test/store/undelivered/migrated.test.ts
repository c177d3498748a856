import { copyFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from '@jest/globals';
import { migrate } from '../../../src/store/db/migrate.ts';
import { createTestDatabase } from '../../support/store/test-database.ts';
import { undeliveredViolations } from '../../support/store/undelivered.ts';
import { inTemporaryDirectory } from '../../support/temporary-directory.ts';

const MIGRATIONS = new URL('../../../migrations/', import.meta.url);
const STATES = ['pending', 'delivered', 'failed', 'unknown', 'cancelled', 'ignored'];

test('a database that has deliveries is given what of them is not delivered', async () => {
  await inTemporaryDirectory(async (path) => {
    const names = (await readdir(MIGRATIONS)).filter((name) => /^\d{4}-/.test(name) && name < '0023');
    for (const name of names) await copyFile(new URL(name, MIGRATIONS), join(path, name));
    const database = await createTestDatabase({ empty: true });
    try {
      const { pool, url } = database;
      await migrate(url, { directory: pathToFileURL(`${path}/`) });
      await pool.query(
        `insert into deliveries (tenant_id, event_id, endpoint_id, state, accepted_at, payload_bytes, attempts,
           last_attempt_at, fault_code, http_status, order_key, order_number)
         select uuidv7(), uuidv7(), uuidv7(), s, now(), 1, 1, now(), 'http_5xx', 500, 'k', n
         from unnest($1::text[]) with ordinality as u(s, n)`,
        [STATES],
      );
      expect(await migrate(url)).toMatchObject({ ok: true });
      expect((await pool.query('select from undelivered')).rows).toHaveLength(STATES.length - 1);
      expect(await undeliveredViolations(pool)).toEqual([]);
      await pool.query(`update deliveries set state = 'failed' where state = 'pending'`);
      expect(await undeliveredViolations(pool)).toEqual([]);
    } finally {
      await database.drop();
    }
  });
});
