import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { isProblem, problem } from '../../../api/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { deleteSigner, insertSigner, listSigners, type Signer } from '../../../store/tenancy/signers.ts';
import { systemSigner } from '../../minka/system-signer.ts';
import { idParams, shownId, shownTime } from '../fields.ts';
import { ownerNamed } from '../owner.ts';
import { idCursor, pageFrom, pageOf, pageParameters } from '../page.ts';

/** They would be taken for the signer of the installation, and for whoever. */
const RESERVED = ['system', 'any'];

const handle = z
  .string()
  .regex(
    /^[a-zA-Z0-9_+.-]{1,81}$/,
    'Expected 1 to 81 letters, digits, dots, dashes, underscores and plus signs.',
  )
  .refine((text) => !RESERVED.includes(text), {
    message: 'This handle is reserved.',
    params: { code: 'not_allowed' },
  })
  .meta({ description: 'Name of the signer within the tenant.', example: 'mint' });

/** One spelling only: what is compared is the text. */
const publicKey = z
  .string()
  .max(44)
  .refine((text) => Buffer.from(text, 'base64').length === 32 && isCanonical(text), {
    message: 'Expected base64 of the 32 bytes of an ed25519 public key.',
    params: { code: 'wrong_format' },
  })
  .meta({
    description: 'Its ed25519 public key, base64 of 32 bytes.',
    example: 'dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=',
  });

const SignerView = z
  .strictObject({
    id: shownId('signer', 'Id of the signer.'),
    handle,
    public: publicKey,
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
  .meta({ id: 'SystemSigner', description: 'What the answers of the Minka surface are signed with.' });

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
      description: 'A key may be registered with several tenants. Alone it may do nothing: see access rules.',
      tag: 'Signers',
      access: { of: 'tenant', scope: 'write:keys', tenant: 'optional' },
      request: { body: NewSigner },
      responses: { 201: { description: 'It is registered.', schema: CreatedSigner } },
      problems: ['tenant_required', 'handle_taken'],
      async handler({ body, caller, tenant }) {
        const owner = await ownerNamed(pool, body.tenantId, caller, tenant);
        if (isProblem(owner)) return owner;
        const made = await insertSigner(pool, {
          tenantId: owner.id,
          handle: body.handle,
          publicKey: Buffer.from(body.public, 'base64'),
        });
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
        const position = idCursor(listed, cursor);
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
      async handler({ params: { id }, tenant }) {
        return (await deleteSigner(pool, tenant.id, id)) ? { status: 204 } : problem('not_found');
      },
    }),
  ];
}

function isCanonical(text: string): boolean {
  return Buffer.from(text, 'base64').toString('base64') === text;
}

function view(signer: Signer): z.input<typeof SignerView> {
  return {
    id: showId('signer', signer.id),
    handle: signer.handle,
    public: signer.publicKey.toString('base64'),
    createdAt: signer.createdAt.toISOString(),
  };
}
