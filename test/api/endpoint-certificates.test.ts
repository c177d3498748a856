import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { readCertificates } from '../../src/outbound/certificates.ts';
import { endpointClientKeyContext } from '../../src/sealing/sealing-contexts.ts';
import { useApi } from '../support/api/use-api.ts';
import { createSelfSignedCertificate } from '../support/receivers/self-signed-certificate.ts';

const api = useApi();
const url = 'https://hooks.example/in';
const [authority, ours, other] = [
  createSelfSignedCertificate(),
  createSelfSignedCertificate(),
  createSelfSignedCertificate(),
];
// The 32nd day of the 13th month.
const timeless = createSelfSignedCertificate('localhost', '991332000000Z');
const given = { certificate: ours.cert, key: ours.key };

const shown = ({ cert }: { cert: string }) => {
  const [facts] = readCertificates(cert) ?? [];
  return { fingerprint: facts?.fingerprint, subject: 'CN=localhost', validUntil: '2049-12-31T23:59:59.000Z' };
};

const make = (body: object) => api.call('POST', '/api/v1/endpoints', { body: { url, ...body } });

/** Nothing of a key, and of a certificate nothing but its facts. */
function expectNothingOf(text: string): void {
  for (const pem of [authority.cert, ours.cert, ours.key])
    expect(text).not.toContain(pem.split('\n').at(1)?.slice(8, 48));
  expect(text).not.toContain('-----');
}

describe('the certificates of an endpoint', () => {
  test('are shown by their facts, and the key is sealed', async () => {
    const made = await make({ caCertificate: authority.cert, clientCertificate: given });
    expect(made).toMatchObject({
      status: 201,
      body: { caCertificate: shown(authority), clientCertificate: shown(ours) },
    });
    const path = `/api/v1/endpoints/${made.body.id}`;
    for (const { text } of [made, await api.call('GET', path), await api.call('GET', `${path}/versions`)])
      expectNothingOf(text);
    const id = api.uuid(made.body.id);
    const { rows } = await api.database.pool.query(
      'select sealed_client_key as sealed from endpoint_versions where endpoint_id = $1',
      [id],
    );
    expect(rows[0].sealed.toString('latin1')).not.toContain('PRIVATE');
    expect(api.sealer.open(rows[0].sealed, endpointClientKeyContext(id)).toString()).toBe(ours.key);
  });

  test('stay with a change of something else, are replaced, and are taken away by null', async () => {
    const { body: made } = await make({ caCertificate: authority.cert, clientCertificate: given });
    const path = `/api/v1/endpoints/${made.id}`;
    const change = (body: object) => api.call('PATCH', path, { body });
    expect((await change({ timeoutMs: 1_000 })).body.clientCertificate).toMatchObject(shown(ours));
    const replaced = await change({ clientCertificate: { certificate: other.cert, key: other.key } });
    expect(replaced.body).toMatchObject({ caCertificate: shown(authority), clientCertificate: shown(other) });
    const without = await change({ caCertificate: null, clientCertificate: null });
    expect(without.body).toMatchObject({ caCertificate: null, clientCertificate: null });
    const { body } = await api.call('GET', `${path}/versions`);
    expect(
      body.items.map((item: { changed: { member: string }[] }) => item.changed.map(({ member }) => member)),
    ).toEqual([['caCertificate', 'clientCertificate'], ['clientCertificate'], ['timeoutMs'], []]);
  });

  test('are shown as changed where only the second of them is another', async () => {
    const { body: made } = await make({ caCertificate: authority.cert + other.cert });
    const path = `/api/v1/endpoints/${made.id}`;
    const body = { caCertificate: authority.cert + ours.cert };
    const changed = await api.call('PATCH', path, { body });
    expect(changed.body.caCertificate).toMatchObject({ ...shown(authority), certificates: 2 });
    expect(changed.body.caCertificate.pemFingerprint).toBe(
      createHash('sha256').update(body.caCertificate).digest('hex'),
    );
    const { body: versions } = await api.call('GET', `${path}/versions`);
    expect(versions.items[0].changed).toMatchObject([{ member: 'caCertificate' }]);
  });

  test.each([
    ['a text that is none', { caCertificate: 'trust me' }, '#/caCertificate'],
    ['a key in its place', { caCertificate: ours.key }, '#/caCertificate'],
    ['the key of another', { clientCertificate: { ...given, key: other.key } }, '#/clientCertificate/key'],
    [
      'a certificate without its key',
      { clientCertificate: { certificate: ours.cert } },
      '#/clientCertificate/key',
    ],
    [
      'a certificate whose end is no time',
      { caCertificate: `${authority.cert}${timeless.cert}` },
      '#/caCertificate',
    ],
    [
      'one of ours whose end is no time',
      { clientCertificate: { certificate: timeless.cert, key: timeless.key } },
      '#/clientCertificate/certificate',
    ],
    [
      'one of ours that cannot be read',
      { clientCertificate: { ...given, certificate: ours.cert.replace('MII', 'MIJ') } },
      '#/clientCertificate/certificate',
    ],
    ['an http URL', { url: 'http://hooks.example/in', caCertificate: authority.cert }, '#/caCertificate'],
  ])('are refused: %s', async (_title, body, pointer) => {
    const refused = await make(body);
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ pointer }] } });
    expectNothingOf(refused.text);
  });

  test('keep an endpoint from going over to http without a word', async () => {
    const { body: made } = await make({ caCertificate: authority.cert });
    const path = `/api/v1/endpoints/${made.id}`;
    const plain = { url: 'http://hooks.example/in' };
    expect((await api.call('PATCH', path, { body: plain })).status).toBe(400);
    const moved = await api.call('PATCH', path, { body: { ...plain, caCertificate: null } });
    expect(moved).toMatchObject({ status: 200, body: { ...plain, caCertificate: null } });
  });

  test('are changed, and moved to another origin, by those alone who may read what goes there', async () => {
    const { body: made } = await make({ clientCertificate: given });
    const path = `/api/v1/endpoints/${made.id}`;
    const grant = await api.call('POST', '/api/v1/keys', {
      key: api.adminKey,
      body: { tenantId: api.tenant.id, name: 'operator', grant: 'operator' },
    });
    const change = (body: object, key = api.key) => api.call('PATCH', path, { body, key });
    for (const body of [
      { caCertificate: authority.cert },
      { clientCertificate: null },
      { url: 'https://new.example/in' },
    ])
      expect(await change(body, grant.body.key)).toMatchObject({
        status: 403,
        body: { code: 'insufficient_scope' },
      });
    expect((await change({ url: 'https://hooks.example/elsewhere' }, grant.body.key)).status).toBe(200);
    expect(await change({ url: 'https://new.example/in' })).toMatchObject({
      status: 200,
      body: { clientCertificate: shown(ours) },
    });
  });

  test('are not in the audit, by name only', async () => {
    await make({ handle: 'audited', clientCertificate: given });
    const { rows } = await api.database.pool.query(
      `select detail from audit_entries where action = 'endpoint.made' order by id desc limit 1`,
    );
    expect(rows[0].detail.members).toContain('clientCertificate');
    expectNothingOf(JSON.stringify(rows) + api.log.join('\n'));
  });
});
