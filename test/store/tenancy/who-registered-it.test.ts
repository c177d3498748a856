import { expect, test } from '@jest/globals';
import { migrate } from '../../../src/store/db/migrate.ts';
import { createTestDatabase } from '../../support/store/test-database.ts';

/** The files that made the schema before it was asked who had registered something. */
const EARLIER = new URL('../../fixtures/schema-of-november/', import.meta.url);

test('issuers and keys that tenants registered before it was asked who did are listed when the schema is brought up to date', async () => {
  const database = await createTestDatabase({ empty: true });
  try {
    await migrate(database.url, { directory: EARLIER });
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
    expect(result).toMatchObject({ ok: true, applied: expect.arrayContaining(['the changes since 0.1.0']) });
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
  } finally {
    await database.drop();
  }
});
