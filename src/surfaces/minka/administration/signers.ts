import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import type { Caller, TenantRef } from '../../../api/authentication/caller.ts';
import { isProblem, type Problem, problem } from '../../../api/problems/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import { SIGNER_PROOFS, type SignerProof } from '../../../domain/tenancy/signer-proof.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { noteAct } from '../../../store/audit/entries.ts';
import { withTransaction } from '../../../store/db/pool.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import { idParams, shownId, shownTime } from '../../native/fields.ts';
import { ownerNamed } from '../../native/owner.ts';
import { idCursor, pageFrom, pageOf, pageParameters } from '../../native/page.ts';
import { provesSigner, signerStatement } from '../signer-proof.ts';
import { listAccessRules, MAX_ACCESS_RULES } from '../store/access-rules.ts';
import { deleteSigner, insertSigner, listSigners, proveSigner, type Signer } from '../store/signers.ts';
import { systemSigner } from '../system-signer.ts';
import { scopeLackedFor } from './granted-scopes.ts';

/** They would be taken for the signer of the installation, and for any signer. */
const RESERVED = ['system', 'any'];
/** A path cannot hold them: clients take them for the directory, and the one above. */
const NO_SEGMENTS = ['.', '..'];

const HANDLE = /^[a-zA-Z0-9_+.-]{1,81}$/;

/** Whether a signer can be registered under this handle. */
export function isSignerHandle(text: string): boolean {
  return HANDLE.test(text) && !RESERVED.includes(text);
}

/** Whether a text is the one spelling of an ed25519 public key: keys are compared as texts. */
export function isPublicKey(text: string): boolean {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === 32 && bytes.toString('base64') === text;
}

const handle = z
  .string()
  .regex(HANDLE, 'Expected 1 to 81 letters, digits, dots, dashes, underscores and plus signs.')
  .refine((text) => !RESERVED.includes(text), {
    message: 'This handle is reserved.',
    params: { code: 'not_allowed' },
  })
  .refine((text) => !NO_SEGMENTS.includes(text), {
    message: 'A path cannot hold this handle.',
    params: { code: 'wrong_format' },
  })
  .meta({ description: 'Name of the signer within the tenant.', example: 'mint' });

const publicKey = z
  .string()
  .max(44)
  .refine(isPublicKey, {
    message: 'Expected base64 of the 32 bytes of an ed25519 public key.',
    params: { code: 'wrong_format' },
  })
  .meta({
    description: 'Its ed25519 public key, base64 of 32 bytes.',
    example: 'dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=',
  });

const proof = z
  .string()
  .max(88)
  .refine((text) => isSignature(text), {
    message: 'Expected base64 of the 64 bytes of an ed25519 signature.',
    params: { code: 'wrong_format' },
  })
  .meta({
    description:
      'Base64 of the signature by the key itself over the UTF-8 text `{"handle":"…","public":"…","tenant":"…"}`, without spaces: handle and public as they are here, the tenant by its handle or id. Required but for keys of the installation.',
    example: 'm9wWg6fZ5v0x3N1kq1h0yS0m3m4oJ7dX1o2u9JvY8n6V2bq0Qk3r5s7t9uAvBwCxDyEzF1G2H3I4J5K6L7M8Cg==',
  });

const SignerView = z
  .strictObject({
    id: shownId('signer', 'Id of the signer.'),
    handle,
    public: publicKey,
    provedBy: z.enum(SIGNER_PROOFS).nullable().meta({
      description:
        'Who says that the key is the tenant’s: the `key` by its signature, or the `installation`; null where it was registered before that was asked for.',
      example: 'key',
    }),
    createdAt: shownTime('When it was registered.'),
  })
  .meta({
    id: 'Signer',
    description: 'A registered public key: who may sign requests to the Minka surface.',
  });

const CreatedSigner = SignerView.extend({
  tenantId: shownId('tenant', 'The tenant it is registered with.'),
}).meta({ id: 'CreatedSigner' });

const NewSigner = z
  .strictObject({
    handle,
    public: publicKey,
    format: z
      .literal('ed25519-raw')
      .optional()
      .meta({ description: 'How the key is written: there is one way.', example: 'ed25519-raw' }),
    proof: proof.optional(),
    tenantId: z.string().optional().meta({
      description: 'Id or handle of the tenant; of the calling key where left out.',
      example: 'acme',
    }),
  })
  .meta({ id: 'NewSigner' });

const SystemSignerView = z
  .strictObject({
    handle: z.literal('system').meta({ description: 'Always the same.', example: 'system' }),
    public: publicKey,
  })
  .meta({
    id: 'SystemSigner',
    description: 'The key that the answers of the Minka surface are signed with.',
  });

/** Whether a text is the one spelling of an ed25519 signature. */
function isSignature(text: string): boolean {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === 64 && bytes.toString('base64') === text;
}

/** Signers of a tenant. */
export function signerRoutes({ pool, sealer }: ApiDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/signers/system',
      summary: 'Show the public key that this installation signs with',
      tag: 'Signers',
      access: { of: 'anyone' },
      responses: { 200: { description: 'The signer of the installation.', schema: SystemSignerView } },
      handler: async () => ({ status: 200, body: { handle: 'system', public: systemSigner(sealer).public } }),
    }),
    route({
      method: 'post',
      path: '/api/v1/signers',
      summary: 'Register a signer',
      description:
        'The key proves by its signature that it is the tenant’s, so that nobody registers one that is not theirs. It may be registered with several tenants. Alone it may do nothing: see access rules. What rules that are there grant it is no more than the caller may do. To prove a signer that was registered without, register it again.',
      tag: 'Signers',
      access: { of: 'tenant', scope: 'write:keys', tenant: 'optional' },
      request: { body: NewSigner },
      responses: { 201: { description: 'It is registered.', schema: CreatedSigner } },
      problems: ['tenant_required', 'handle_taken'],
      async handler({ body, caller, tenant }) {
        const owner = await ownerNamed(pool, body.tenantId, caller, tenant);
        if (isProblem(owner)) return owner;
        const provedBy = proofOf(body, owner, caller);
        if (typeof provedBy === 'object') return provedBy;
        const signer = {
          tenantId: owner.id,
          handle: body.handle,
          publicKey: Buffer.from(body.public, 'base64'),
          provedBy,
        };
        const made = await withTransaction(pool, async (db) => {
          const proved = await proveSigner(db, signer);
          // One that was there has what it had.
          const lacked = proved ? undefined : await lackedFor(db, owner, body, caller);
          if (lacked) return lacked;
          const kept = proved ?? (await insertSigner(db, signer));
          if (kept)
            await noteAct(db, {
              tenantId: owner.id,
              by: caller,
              action: 'signer.made',
              target: kept.id,
              detail: { provedBy },
            });
          return kept;
        });
        if (made && isProblem(made)) return made;
        if (!made)
          return problem('handle_taken', {
            detail: 'The tenant has a signer with this handle or this key.',
            errors: [{ pointer: '#/handle', code: 'taken', message: 'This handle or this key is taken.' }],
          });
        return { status: 201, body: { ...view(made), tenantId: showId('tenant', owner.id) } };
      },
    }),
    route({
      method: 'get',
      path: '/api/v1/signers',
      summary: "List a tenant's signers, newest first",
      tag: 'Signers',
      access: { of: 'tenant', scope: 'write:keys' },
      request: { query: z.strictObject(pageParameters) },
      responses: { 200: { description: 'A page of signers.', schema: pageOf(SignerView) } },
      problems: ['invalid_cursor'],
      async handler({ query: { limit, cursor }, tenant }) {
        const listed = ['signers', tenant.id];
        const position = idCursor('signer', listed, cursor);
        if (isProblem(position)) return position;
        const page = { limit: limit + 1, ...(position.id ? { before: position.id } : {}) };
        const rows = await listSigners(pool, tenant.id, page);
        return { status: 200, body: pageFrom(rows, limit, listed, ({ id }) => [id], view) };
      },
    }),
    route({
      method: 'delete',
      path: '/api/v1/signers/{id}',
      summary: 'Remove a signer, at once',
      tag: 'Signers',
      access: { of: 'tenant', scope: 'write:keys' },
      request: { params: idParams('signer', 'Id of the signer.') },
      responses: { 204: { description: 'It is removed.' } },
      async handler({ params: { id }, tenant, caller }) {
        const removed = await withTransaction(pool, async (db) => {
          if (!(await deleteSigner(db, tenant.id, id))) return false;
          await noteAct(db, { tenantId: tenant.id, by: caller, action: 'signer.removed', target: id });
          return true;
        });
        return removed ? { status: 204 } : problem('not_found');
      },
    }),
  ];
}

/**
 * The proof that the key is the tenant's, or the problem without one. A credential of the installation vouches for it.
 */
function proofOf(
  { handle, public: publicKey, proof: given }: z.output<typeof NewSigner>,
  tenant: TenantRef,
  caller: Caller,
): SignerProof | Problem {
  if (given === undefined)
    return caller.tenant === undefined
      ? 'installation'
      : refusedProof('required', 'The key must prove that it is yours: see the description of `proof`.');
  const tenants = [tenant.handle, tenant.id, showId('tenant', tenant.id)];
  const signed = { tenants, handle, publicKey: Buffer.from(publicKey, 'base64') };
  return provesSigner(signed, Buffer.from(given, 'base64'))
    ? 'key'
    : refusedProof(
        'wrong_format',
        `Expected the signature of this key over ${signerStatement(tenant.handle, handle, publicKey)}.`,
      );
}

/** The problem where rules would grant the signer what its maker lacks. */
async function lackedFor(
  db: Queryable,
  { id }: TenantRef,
  { handle, public: key }: z.output<typeof NewSigner>,
  { scopes }: Caller,
): Promise<Problem | undefined> {
  const rules = await listAccessRules(db, id, { limit: MAX_ACCESS_RULES });
  const lacked = scopeLackedFor(
    { handle, public: key },
    rules.map(({ rule }) => rule),
    scopes,
  );
  return lacked
    ? problem('insufficient_scope', {
        detail: `The access rules would grant this signer \`${lacked}\`, which this credential does not have.`,
      })
    : undefined;
}

function refusedProof(code: string, message: string): Problem {
  return problem('invalid_request', { errors: [{ pointer: '#/proof', code, message }] });
}

function view(signer: Signer): z.input<typeof SignerView> {
  return {
    id: showId('signer', signer.id),
    handle: signer.handle,
    public: signer.publicKey.toString('base64'),
    provedBy: signer.provedBy ?? null,
    createdAt: signer.createdAt.toISOString(),
  };
}
