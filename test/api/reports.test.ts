import { execFile } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { createLocalJWKSet, type FlattenedJWS, flattenedVerify, type JSONWebKeySet } from 'jose';
import { canonicalJson } from '../../src/domain/json/canonical-json.ts';
import { isInLedger, sealOf } from '../../src/domain/proof/verification.ts';
import type { Id } from '../../src/domain/tenancy/typed-id.ts';
import { acknowledgeDeliveries } from '../../src/operations/deliveries/acknowledge-deliveries.ts';
import { sha256 } from '../../src/proof/sha256.ts';
import { signAddenda } from '../../src/proof/sign-addenda.ts';
import { useApi } from '../support/api/use-api.ts';
import {
  type SeededDelivery,
  seedEndpoint,
  seedFailedDeliveries,
} from '../support/engine/failed-deliveries.ts';
import { pythonWith } from '../support/python.ts';
import { closeOperation, newSigner } from '../support/store/close-operation.ts';
import { removeOnce } from '../support/store/retention.ts';
import { sendItems } from '../support/store/send-items.ts';
import { inTemporaryDirectory } from '../support/temporary-directory.ts';

const execute = promisify(execFile);
const JOSE = 'application/jose+json';
const NDJSON = 'application/x-ndjson';

const api = useApi();
let endpointId: string;

beforeAll(async () => {
  endpointId = await seedEndpoint(api);
});

const never = new AbortController().signal;

/** A closed operation: of five items three are delivered, one failed and one is unknown; one delivery is excluded. */
type Closed = { id: string; path: string; seeded: SeededDelivery[]; excluded: SeededDelivery };

async function closed(linesOfChunk?: number, key = api.key, endpoint = endpointId): Promise<Closed> {
  const seeded = await seedFailedDeliveries(api, 6, key);
  const [excluded, ...others] = seeded as [SeededDelivery, ...SeededDelivery[]];
  const post = async (deliveries: SeededDelivery[]) => {
    const answer = await api.call('POST', '/api/v1/retries', {
      key,
      body: {
        select: { deliveryIds: deliveries.map(({ deliveryId }) => deliveryId) },
        reason: 'the endpoint was down – ☃',
        ticket: 'OPS-42',
      },
    });
    if (answer.status !== 202) throw new Error(answer.text);
    return answer.body.id as string;
  };
  await post([excluded]);
  const id = await post(seeded);
  const endings = [200, 404, 'timeout', 200, 200] as const;
  const wanted = new Map(others.map((delivery, n) => [api.uuid(delivery.deliveryId) as string, endings[n]]));
  await sendItems(
    api.database.pool,
    [api.uuid(endpoint)],
    ({ deliveryId }) => wanted.get(deliveryId) ?? 'released',
  );
  const result = await closeOperation(api.database.pool, api.uuid(id), {
    signer: newSigner(api.sealer),
    ...(linesOfChunk === undefined ? {} : { linesOfChunk }),
  });
  if (!result.closed) throw new Error(result.why);
  return { id, path: `/api/v1/retries/${id}`, seeded: others, excluded };
}

async function signedReport(path: string, key = api.key): Promise<FlattenedJWS> {
  const answer = await api.call('GET', `${path}/report`, { key, headers: { accept: JOSE } });
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, JOSE]);
  return answer.body;
}

async function keySet(): Promise<JSONWebKeySet> {
  return (await api.call('GET', '/.well-known/redrive/jwks.json', { key: undefined })).body;
}

async function verified(jws: FlattenedJWS) {
  const { payload, protectedHeader } = await flattenedVerify(jws, createLocalJWKSet(await keySet()));
  return { payload: JSON.parse(Buffer.from(payload).toString()), bytes: payload, protectedHeader };
}

/** Lets the next addendum of every operation be due. */
async function makeAddendaOlder(): Promise<void> {
  const { pool } = api.database;
  await pool.query('alter table report_addenda disable trigger never_changed');
  await pool.query(`update report_addenda set signed_at = signed_at - interval '1 minute'`);
  await pool.query('alter table report_addenda enable trigger never_changed');
}

async function ledgerLines(path: string, query = ''): Promise<string[]> {
  const { text } = await api.call('GET', `${path}/items${query}`, { headers: { accept: NDJSON } });
  return text === '' ? [] : text.slice(0, -1).split('\n');
}

describe('a signed report', () => {
  test('says what was asked for, by whom, what came of it, and which lines it stands for', async () => {
    const { id, path } = await closed();
    const { payload, bytes, protectedHeader } = await verified(await signedReport(path));
    const plain = (await api.call('GET', `${path}/report`)).body;
    expect(protectedHeader).toEqual({
      alg: 'EdDSA',
      kid: plain.signature.kid,
      typ: 'redrive-closure+json',
    });
    expect(plain.signature.digest).toBe(sha256(bytes).toString('hex'));
    expect(Buffer.from(bytes).toString()).toBe(canonicalJson(payload));
    expect(payload).toMatchObject({
      v: 1,
      operation: id,
      kind: 'retry',
      mode: 'retry',
      target: 'current',
      state: 'completed_with_failures',
      requestedBy: plain.requestedBy,
      approvals: [],
      reason: 'the endpoint was down – ☃',
      ticket: 'OPS-42',
      timeline: [
        { did: 'accept', by: plain.requestedBy, at: plain.createdAt },
        { did: 'close', by: 'redrive', at: plain.closedAt },
      ],
      counts: plain.counts,
      mayHaveArrived: 0,
      exclusions: { coalesced: 1 },
      attempts: { total: 5, firstAt: plain.firstAttemptAt, lastAt: plain.lastAttemptAt },
      endpointCount: 1,
      endpoints: [
        {
          endpointId,
          versions: [1],
          counts: { delivered: 3, failed: 1, unknown: 1 },
          attempts: 5,
          faults: { http_4xx: 1, timeout: 1 },
          firstAt: plain.firstAttemptAt,
          lastAt: plain.lastAttemptAt,
        },
      ],
      faults: { http_4xx: 1, timeout: 1 },
      canaries: [],
      ledger: plain.ledger,
      closedAt: plain.closedAt,
    });
    expect(payload.counts).toMatchObject({ expected: 6, delivered: 3, failed: 1, unknown: 1, excluded: 1 });
    expect('plan' in payload || 'audit' in payload).toBe(false);
  });

  test('is refused by every verification where one byte of it is another', async () => {
    const { path } = await closed();
    const jws = await signedReport(path);
    const keys = createLocalJWKSet(await keySet());
    for (const member of ['payload', 'protected', 'signature'] as const) {
      const text = jws[member] ?? '';
      const places = Array.from({ length: 40 }, (_, n) => Math.floor((n * text.length) / 40));
      for (const at of places) {
        // Not its lowest bits, which the last character of base64url may leave unused.
        const other = text[at] === 'Q' ? 'A' : 'Q';
        const changed = { ...jws, [member]: `${text.slice(0, at)}${other}${text.slice(at + 1)}` };
        await expect(flattenedVerify(changed, keys)).rejects.toThrow();
      }
    }
  });

  test('is verified by PyJWT, and by openssl', async () => {
    const { path } = await closed();
    const jws = await signedReport(path);
    const compact = `${jws.protected}.${jws.payload}.${jws.signature}`;
    const jwks = await keySet();
    const { kid } = JSON.parse(Buffer.from(jws.protected ?? '', 'base64url').toString());
    const key = jwks.keys.find((each) => each.kid === kid);
    if (!key) throw new Error('the key is not published');
    await inTemporaryDirectory(async (directory) => {
      const file = (name: string) => join(directory, name);
      await writeFile(
        file('key.pem'),
        createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'pem' }),
      );
      await writeFile(file('input'), `${jws.protected}.${jws.payload}`);
      await writeFile(file('signature'), Buffer.from(jws.signature, 'base64url'));
      const check = ['-verify', '-pubin', '-inkey', file('key.pem'), '-rawin', '-in', file('input')];
      const openssl = () => execute('openssl', ['pkeyutl', ...check, '-sigfile', file('signature')]);
      expect((await openssl()).stdout).toContain('Verified Successfully');
      await writeFile(file('input'), `${jws.protected}.${jws.payload}A`);
      await expect(openssl()).rejects.toThrow();
    });
    const python = await pythonWith('PyJWT==2.15.1', 'cryptography');
    if (!python) return;
    try {
      const script = `
import json, sys, jwt
text, keys = sys.argv[1], jwt.PyJWKSet.from_dict(json.loads(sys.argv[2]))
key = keys[jwt.get_unverified_header(text)['kid']]
print(jwt.api_jws.decode(text, key, algorithms=['EdDSA']).decode())`;
      const printed = await python.run(script, compact, JSON.stringify(jwks));
      expect(JSON.parse(printed)).toEqual((await verified(jws)).payload);
      const forged = compact.replace(/\.(.)/, (_, first) => `.${first === 'e' ? 'f' : 'e'}`);
      await expect(python.run(script, forged, JSON.stringify(jwks))).rejects.toThrow(
        /InvalidSignatureError|DecodeError/,
      );
    } finally {
      await python.close();
    }
  });

  test('is the same at every look, and the tenant’s alone', async () => {
    const { path } = await closed();
    expect(await signedReport(path)).toEqual(await signedReport(path));
    const other = await api.newTenant();
    for (const below of ['/report', '/report/addenda', '/items'])
      for (const accept of [JOSE, NDJSON, 'application/json'])
        expect(
          (await api.call('GET', `${path}${below}`, { key: other.key, headers: { accept } })).status,
        ).toBe(404);
  });

  test('is there when the operation has ended, and not before', async () => {
    const [seeded] = await seedFailedDeliveries(api, 1);
    const { body } = await api.call('POST', '/api/v1/retries', {
      body: { select: { deliveryIds: [seeded?.deliveryId] } },
    });
    const path = `/api/v1/retries/${body.id}`;
    for (const below of ['/report', `/items/${seeded?.deliveryId}/proof`])
      expect(await api.call('GET', `${path}${below}`, { headers: { accept: JOSE } })).toMatchObject({
        status: 409,
        body: { code: 'state_conflict' },
      });
    expect((await api.call('GET', `${path}/report/addenda`)).body).toEqual({ items: [], nextCursor: null });
  });

  test('of an operation that closed before reports were signed is plain, and its ledger as it is now', async () => {
    const { path, id, seeded } = await closed();
    await api.database.pool.query('delete from closure_reports where operation_id = $1', [api.uuid(id)]);
    await acknowledgeDeliveries(api.deps, [api.uuid(seeded[1]?.deliveryId ?? '')]);
    expect((await api.call('GET', `${path}/report`)).body).toMatchObject({
      signature: null,
      ledger: null,
      addendum: { failed: -1, delivered: 1 },
    });
    for (const below of ['/report', `/items/${seeded[0]?.deliveryId}/proof`])
      expect(await api.call('GET', `${path}${below}`, { headers: { accept: JOSE } })).toMatchObject({
        status: 409,
        body: { code: 'state_conflict', detail: expect.stringContaining('before reports were signed') },
      });
    expect(await ledgerLines(path)).toHaveLength(6);
  });
});

describe('the ledger of a closed operation', () => {
  test.each([1, 2, 4, 1_024])('adds up to the root that was signed, in chunks of %d', async (size) => {
    const { path } = await closed(size);
    const { payload } = await verified(await signedReport(path));
    const lines = await ledgerLines(path);
    expect(sealOf(sha256, lines)).toEqual(payload.ledger);
    expect(lines.map((line) => canonicalJson(JSON.parse(line)))).toEqual(lines);
    const paged: unknown[] = [];
    for (let cursor = ''; ; ) {
      const { body } = await api.call('GET', `${path}/items?limit=4${cursor && `&cursor=${cursor}`}`);
      paged.push(...body.items);
      if (body.nextCursor === null) break;
      cursor = body.nextCursor;
    }
    expect(paged.map(canonicalJson)).toEqual(lines);
    for (const state of ['delivered', 'failed', 'unknown', 'excluded', 'cancelled']) {
      const some = lines.filter((line) => {
        const { kind, state: itsState } = JSON.parse(line);
        return (kind === 'exclusion' ? 'excluded' : itsState) === state;
      });
      expect(await ledgerLines(path, `?state=${state}`)).toEqual(some);
      const { body } = await api.call('GET', `${path}/items?state=${state}&limit=1`);
      expect([body.items.map(canonicalJson), body.nextCursor !== null]).toEqual([
        some.slice(0, 1),
        some.length > 1,
      ]);
    }
  });

  test.each([2, 1_024])('proves each of its lines, and no other, in chunks of %d', async (size) => {
    const { path, seeded, excluded } = await closed(size);
    const { payload } = await verified(await signedReport(path));
    const proofs = await Promise.all(
      [...seeded, excluded].map(
        async ({ deliveryId }) => (await api.call('GET', `${path}/items/${deliveryId}/proof`)).body,
      ),
    );
    const lines = await ledgerLines(path);
    for (const proof of proofs) {
      expect(proof.merkleRoot).toBe(payload.ledger.merkleRoot);
      expect(lines[proof.leafIndex]).toBe(proof.line);
      expect(isInLedger(sha256, proof, payload.ledger)).toBe(true);
      for (const other of proofs.filter(({ line }) => line !== proof.line))
        expect(isInLedger(sha256, { ...proof, line: other.line }, payload.ledger)).toBe(false);
    }
    const theirs = await api.newTenant();
    const [{ deliveryId } = excluded] = seeded;
    expect((await api.call('GET', `${path}/items/${deliveryId}/proof`, { key: theirs.key })).status).toBe(
      404,
    );
    const [stranger] = await seedFailedDeliveries(api, 1);
    expect((await api.call('GET', `${path}/items/${stranger?.deliveryId}/proof`)).status).toBe(404);
  });

  test('stays as it was signed when its items change; what they are now is shown where it is asked for', async () => {
    const { path, seeded } = await closed(2);
    const before = await ledgerLines(path);
    expect(await ledgerLines(path, '?as=now')).toEqual(before);
    const late = seeded.slice(1, 3).map(({ deliveryId }) => api.uuid(deliveryId) as Id<'delivery'>);
    await acknowledgeDeliveries(api.deps, late);
    expect(await ledgerLines(path)).toEqual(before);
    const now = (await ledgerLines(path, '?as=now')).map((line) => JSON.parse(line));
    expect(now.filter(({ state }) => state === 'delivered')).toHaveLength(5);
  });
});

describe('an addendum', () => {
  test('is signed for what was settled after the report, names it, and its own number', async () => {
    const { path, id, seeded } = await closed();
    const { pool } = api.database;
    const signer = newSigner(api.sealer);
    // What others have left to tell.
    await signAddenda(pool, signer, never);
    const { signature } = (await api.call('GET', `${path}/report`)).body;
    const [, failed, unknown] = seeded as [SeededDelivery, SeededDelivery, SeededDelivery];
    await acknowledgeDeliveries(api.deps, [api.uuid(failed.deliveryId)]);
    expect(await signAddenda(pool, signer, never)).toBe(1);
    expect(await signAddenda(pool, signer, never)).toBe(0);
    await acknowledgeDeliveries(api.deps, [api.uuid(unknown.deliveryId)]);
    // The next one is due a minute later.
    expect(await signAddenda(pool, signer, never)).toBe(0);
    await makeAddendaOlder();
    expect(await signAddenda(pool, signer, never)).toBe(1);
    const { body } = await api.call('GET', `${path}/report/addenda`);
    const payloads = await Promise.all(
      body.items.map(async ({ jws }: { jws: FlattenedJWS }) => (await verified(jws)).payload),
    );
    expect(payloads).toMatchObject([
      {
        operation: id,
        report: signature.digest,
        number: 1,
        counts: { failed: -1, delivered: 1 },
        items: [{ deliveryId: failed.deliveryId, from: 'failed', to: 'delivered' }],
      },
      {
        number: 2,
        counts: { unknown: -1, delivered: 1 },
        items: [{ deliveryId: unknown.deliveryId, from: 'unknown', to: 'delivered' }],
      },
    ]);
    const first = await api.call('GET', `${path}/report/addenda?limit=1`);
    const second = await api.call('GET', `${path}/report/addenda?limit=1&cursor=${first.body.nextCursor}`);
    expect([...first.body.items, ...second.body.items]).toEqual(body.items);
    const other = await api.newTenant();
    expect((await api.call('GET', `${path}/report/addenda`, { key: other.key })).status).toBe(404);
  });

  test('is in the plain report before it is signed, afterwards, and when its items are gone', async () => {
    const { tenant, key } = await api.newTenant();
    const { path, seeded } = await closed(undefined, key, await seedEndpoint(api, key));
    const { pool } = api.database;
    const addendum = async () => (await api.call('GET', `${path}/report`, { key })).body.addendum;
    const settle = (delivery?: SeededDelivery) =>
      acknowledgeDeliveries(api.deps, [api.uuid(delivery?.deliveryId ?? '')]);
    const kept = async () => (await api.call('GET', `${path}/items?as=now`, { key })).body.items.length;
    expect(await addendum()).toEqual({});
    await settle(seeded[1]);
    expect(await addendum()).toEqual({ failed: -1, delivered: 1 });
    await signAddenda(pool, newSigner(api.sealer), never);
    expect(await addendum()).toEqual({ failed: -1, delivered: 1 });
    await settle(seeded[2]);
    const both = { failed: -1, unknown: -1, delivered: 2 };
    expect(await addendum()).toEqual(both);
    // Shorter than anybody may set it.
    await pool.query(`update tenants set settings = '{"eventRetentionDays": 0}' where id = $1`, [tenant.id]);
    await removeOnce(pool, tenant.id);
    // One is excluded for an operation that is open, and one waits for its addendum.
    expect(await kept()).toBe(2);
    expect(await addendum()).toEqual(both);
    await makeAddendaOlder();
    await signAddenda(pool, newSigner(api.sealer), never);
    await removeOnce(pool, tenant.id);
    expect(await kept()).toBe(1);
    expect(await addendum()).toEqual(both);
  });

  test('tells of an item once it is settled, and not while it is being sent again', async () => {
    const { path, seeded } = await closed();
    const { pool } = api.database;
    const [, , unknown] = seeded as [SeededDelivery, SeededDelivery, SeededDelivery];
    await api.call('POST', `/api/v1/deliveries/${unknown.deliveryId}/resolve`, {
      body: { outcome: 'retry', confirm: true },
    });
    await pool.query(
      `update executions set state = 'sending', lease_token = uuidv7() where delivery_id = $1 and open`,
      [api.uuid(unknown.deliveryId)],
    );
    await signAddenda(pool, newSigner(api.sealer), never);
    expect((await api.call('GET', `${path}/report/addenda`)).body.items).toEqual([]);
    await pool.query(
      `update executions set state = 'unknown', lease_token = null where delivery_id = $1 and open`,
      [api.uuid(unknown.deliveryId)],
    );
    // It is again as the report says.
    expect(await signAddenda(pool, newSigner(api.sealer), never)).toBe(0);
    expect((await api.call('GET', `${path}/report/addenda`)).body.items).toEqual([]);
    expect((await pool.query('select from late_changes')).rowCount).toBe(0);
  });
});

describe('the keys', () => {
  const rotate = () => api.call('POST', '/api/v1/signing-keys/rotate', { key: api.adminKey });

  test('that were retired still verify what they signed, and sign nothing more', async () => {
    const old = await closed();
    const before = await signedReport(old.path);
    const { body: fresh } = await rotate();
    const after = await signedReport((await closed()).path);
    expect((await verified(after)).protectedHeader?.kid).toBe(fresh.id);
    const { protectedHeader } = await verified(before);
    const published = (await keySet()).keys.find(({ kid }) => kid === protectedHeader?.kid);
    expect(published).toMatchObject({ retiredAt: expect.any(String) });
    expect(published).not.toHaveProperty('revokedAt');
    expect(await signedReport(old.path)).toEqual(before);
    const { rows } = await api.database.pool.query(
      'select count(sealed_private_key)::int as kept, count(*) filter (where retired_at is null)::int as active from signing_keys',
    );
    expect(rows).toEqual([{ kept: 1, active: 1 }]);
  });

  test('rotated by several at once are one key more for each that was retired, and one is active', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, rotate));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    const active = (await keySet()).keys.filter((key) => !('retiredAt' in key));
    expect(active).toHaveLength(1);
  });

  test('that were revoked say so, for ever; the next report is signed by another', async () => {
    const { body: compromised } = await rotate();
    const revoke = () =>
      api.call('POST', `/api/v1/signing-keys/${compromised.id}/revoke`, { key: api.adminKey });
    const first = await revoke();
    expect(first.body.jwk).toMatchObject({
      kid: compromised.id,
      revokedAt: expect.any(String),
      retiredAt: expect.any(String),
    });
    expect((await revoke()).body).toEqual(first.body);
    const { protectedHeader } = await verified(await signedReport((await closed()).path));
    expect(protectedHeader?.kid).not.toBe(compromised.id);
    expect((await keySet()).keys.find(({ kid }) => kid === compromised.id)).toEqual(first.body.jwk);
  });

  test('are the installation’s: a tenant neither rotates nor revokes them', async () => {
    const { body } = await rotate();
    for (const path of ['rotate', `${body.id}/revoke`])
      expect((await api.call('POST', `/api/v1/signing-keys/${path}`)).status).toBe(403);
    expect(
      (
        await api.call('POST', '/api/v1/signing-keys/sgk_01k9z3e5hbe7r9qk2m4n6p8r0s/revoke', {
          key: api.adminKey,
        })
      ).status,
    ).toBe(404);
  });

  test('are shown by their public parts alone, and kept sealed', async () => {
    await closed();
    const text = JSON.stringify(await keySet());
    expect(text).not.toContain('"d"');
    const { rows } = await api.database.pool.query(
      'select sealed_private_key as sealed from signing_keys where sealed_private_key is not null',
    );
    // PKCS#8 of Ed25519 begins with its algorithm, 1.3.101.112.
    for (const { sealed } of rows) expect(sealed.includes(Buffer.from('06032b6570', 'hex'))).toBe(false);
  });
});
