import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { problem } from '../../../api/problems/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { ReportSigner } from '../../../proof/report-signer.ts';
import { noteAct } from '../../../store/audit/entries.ts';
import { withTransaction } from '../../../store/db/pool.ts';
import { listSigningKeys, revokeSigningKey, type SigningKey } from '../../../store/proof/signing-keys.ts';
import { PLATFORM_TENANT } from '../../../store/tenancy/tenants.ts';
import { idParams, shownId, shownTime } from '../fields.ts';

const Jwk = z
  .strictObject({
    kty: z.literal('OKP').meta({ description: 'Its type (RFC 8037).', example: 'OKP' }),
    crv: z.literal('Ed25519').meta({ description: 'Its curve.', example: 'Ed25519' }),
    x: z.string().meta({
      description: 'The public key, in base64url.',
      example: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
    }),
    kid: shownId('signingKey', 'Its id, which the header of each signature names.'),
    use: z.literal('sig').meta({ description: 'Its use.', example: 'sig' }),
    alg: z.literal('EdDSA').meta({ description: 'The algorithm of its signatures.', example: 'EdDSA' }),
    createdAt: shownTime('When it was made.'),
    retiredAt: shownTime('Since when nothing is signed with it any more.').optional(),
    revokedAt: shownTime(
      'When it was said that its private part may be known to others: a report by it counts only where its digest stands in the audit of its tenant.',
    ).optional(),
  })
  .meta({ id: 'SigningJwk', description: 'The public part of a key that reports are signed with.' });

const JwkSet = z
  .strictObject({ keys: z.array(Jwk).meta({ description: 'All keys that there ever were, newest first.' }) })
  .meta({ id: 'SigningJwks' });

const KeyView = z
  .strictObject({ id: shownId('signingKey', 'The key.'), jwk: Jwk })
  .meta({ id: 'SigningKey', description: 'A key that reports are signed with.' });

/** They are no tenant's. */
const OF_THE_PLATFORM = { tenantId: PLATFORM_TENANT.id };

/** The keys of the installation that reports are signed with: published, rotated and revoked. */
export function signingKeyRoutes({ pool, sealer }: ApiDeps): Route[] {
  const signer = new ReportSigner(sealer);
  const keep = { tag: 'Signing keys', access: { of: 'installation' } } as const;
  return [
    route({
      method: 'get',
      path: '/.well-known/redrive/jwks.json',
      summary: 'The public keys of signed reports (JWKS)',
      description:
        'Open to anyone. Retired keys stay, so that what they signed can be verified; the first key is made when the first report is signed.',
      tag: 'Signing keys',
      access: { of: 'anyone' },
      responses: { 200: { description: 'The keys (RFC 7517).', schema: JwkSet } },
      handler: async () => ({ status: 200, body: { keys: (await listSigningKeys(pool)).map(jwk) } }),
    }),
    route({
      ...keep,
      method: 'post',
      path: '/api/v1/signing-keys/rotate',
      summary: 'Sign with a new key from now on',
      description:
        'Makes a key and retires the one before, whose private part is forgotten. Reports that it signed stay valid.',
      responses: { 201: { description: 'The new key.', schema: KeyView } },
      async handler({ caller }) {
        const made = await withTransaction(pool, async (tx) => {
          const key = await signer.rotate(tx);
          await noteAct(tx, {
            ...OF_THE_PLATFORM,
            by: caller,
            action: 'signing_key.rotated',
            target: key.id,
          });
          return key;
        });
        return { status: 201, body: view(made) };
      },
    }),
    route({
      ...keep,
      method: 'post',
      path: '/api/v1/signing-keys/{id}/revoke',
      summary: 'Revoke a signing key, at once',
      description:
        'For a key whose private part may be known to others. Nothing is signed with it any more; the next report makes a new one. The key set shows when it was revoked.',
      request: { params: idParams('signingKey', 'Id of the key.') },
      responses: { 200: { description: 'It is revoked, now or since earlier.', schema: KeyView } },
      async handler({ params: { id }, caller }) {
        const revoked = await withTransaction(pool, async (tx) => {
          const key = await revokeSigningKey(tx, id);
          if (key)
            await noteAct(tx, { ...OF_THE_PLATFORM, by: caller, action: 'signing_key.revoked', target: id });
          return key;
        });
        return revoked ? { status: 200, body: view(revoked) } : problem('not_found');
      },
    }),
  ];
}

function jwk(key: SigningKey): z.input<typeof Jwk> {
  return {
    kty: 'OKP',
    crv: 'Ed25519',
    x: key.publicKey.toString('base64url'),
    kid: showId('signingKey', key.id),
    use: 'sig',
    alg: 'EdDSA',
    createdAt: key.createdAt.toISOString(),
    ...(key.retiredAt ? { retiredAt: key.retiredAt.toISOString() } : {}),
    ...(key.revokedAt ? { revokedAt: key.revokedAt.toISOString() } : {}),
  };
}

function view(key: SigningKey): z.input<typeof KeyView> {
  return { id: showId('signingKey', key.id), jwk: jwk(key) };
}
