import { copyFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from '@jest/globals';
import { migrate } from '../../src/store/db/migrate.ts';
import { inTemporaryDirectory } from '../support/temporary-directory.ts';
import { createTestDatabase } from '../support/test-database.ts';

const MIGRATIONS = new URL('../../migrations/', import.meta.url);
const FILE = '0023-who-registered-it.sql';

test('what tenants registered before it was asked who did is listed when the schema is brought up to date', async () => {
  const database = await createTestDatabase({ empty: true });
  try {
    await inTemporaryDirectory(async (before) => {
      const earlier = (await readdir(MIGRATIONS)).filter((name) => /^\d{4}/.test(name) && name < FILE);
      for (const name of earlier) await copyFile(new URL(name, MIGRATIONS), join(before, name));
      await migrate(database.url, { directory: pathToFileURL(`${before}/`) });
      await database.pool.query(`
        insert into tenants (handle) values ('acme'), ('other');
        insert into jwt_issuers (tenant_id, name, issuer, audience, algorithm, sealed_secret, scopes, revoked_at)
          select (select id from tenants where handle = t), 'x', 'https://' || i || '.example/', 'redrive', 'HS256', '\\x00',
            '{read:endpoints}', case when r then now() end
          from (values ('acme', 'idp', false), ('acme', 'revoked', true), (null, 'operator', false)) as v(t, i, r);
        insert into signers (tenant_id, handle, public_key)
          select id, 'mint', decode(repeat('07', 32), 'hex') from tenants where handle in ('acme', 'other');
        insert into signers (tenant_id, handle, public_key)
          select id, 'alone', decode(repeat('08', 32), 'hex') from tenants where handle = 'acme'`);
      const result = await migrate(database.url);
      expect(result).toMatchObject({ ok: true, applied: expect.arrayContaining([FILE]) });
      const { warnings = [] } = result as { warnings?: string[] };
      expect(warnings).toEqual([
        expect.stringMatching(
          /^The issuer https:\/\/idp\.example\/ with the audience redrive .* tenant acme: its tokens must name that tenant/,
        ),
        expect.stringMatching(
          new RegExp(`^The public key ${Buffer.alloc(32, 7).toString('base64')} .*\\(acme, other\\)`),
        ),
      ]);
      const { rows } = await database.pool.query(
        `select issuer, by_installation from jwt_issuers where revoked_at is null order by issuer`,
      );
      expect(rows).toEqual([
        { issuer: 'https://idp.example/', by_installation: false },
        { issuer: 'https://operator.example/', by_installation: true },
      ]);
      // Once only.
      expect(await migrate(database.url)).toEqual({ ok: true, applied: [] });
    });
  } finally {
    await database.drop();
  }
});
