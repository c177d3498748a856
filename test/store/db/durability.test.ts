import { expect, test } from '@jest/globals';
import { settingsThatLose } from '../../../src/store/db/durability.ts';
import { createPool } from '../../../src/store/db/pool.ts';
import { startTestEngine } from '../../support/engine/test-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { createTestDatabase } from '../../support/store/test-database.ts';

/** What is said of a Postgres that answers before it has written. */

test('a service says at its start that what it accepts may be lost', async () => {
  const database = await createTestDatabase();
  const name = new URL(database.url).pathname.slice(1);
  await database.pool.query(`alter database ${name} set synchronous_commit = off`);
  const engine = await startTestEngine({ database });
  try {
    await eventually('it has said so', () =>
      // The server of the tests has more of them.
      engine.log.some((line) => /"postgres\.may_lose".*"settings":\[.*"synchronous_commit"\]/.test(line)),
    );
  } finally {
    await engine.close();
    await database.drop();
  }
});

test('nothing is said of one that waits for a replica, too', async () => {
  const database = await createTestDatabase();
  const name = new URL(database.url).pathname.slice(1);
  await database.pool.query(`alter database ${name} set synchronous_commit = remote_apply`);
  const pool = createPool(database.url, { max: 1 });
  try {
    expect(await settingsThatLose(pool)).not.toContain('synchronous_commit');
  } finally {
    await pool.end();
    await database.drop();
  }
});
