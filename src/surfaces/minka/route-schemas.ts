import { z } from 'zod';
import type { RouteResponse } from '../../api/route.ts';
import { BRIDGE_EVENT_STATUSES } from './bridge-event-filter.ts';
import { PROOF_METHOD } from './envelope.ts';

const hex = (description: string) =>
  z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .meta({
      description,
      example: 'b7eb7ccf5ffc126951e13e29a8dcfdaf95db859715d4edfc2d16f59a79d4cd58',
    });
const moment = z.iso
  .datetime()
  .meta({ description: 'When it was signed.', example: '2025-04-05T14:30:00.000Z' });

const proofOf = <Custom extends z.ZodType>(custom: Custom) =>
  z.strictObject({
    signer: z.literal('system').meta({ description: 'This installation.', example: 'system' }),
    method: z.literal(PROOF_METHOD).meta({ description: 'How it is signed.', example: PROOF_METHOD }),
    digest: hex('SHA-256 over the hash and `custom`.'),
    public: z.string().meta({
      description: 'Public key of the installation.',
      example: 'bctQzN7mjMUNBIx4aSC8WYn03GJWoJjL/KrDb38oU5c=',
    }),
    result: z.string().meta({
      description: 'Signature of the digest.',
      example: 'gnK63DqqWDY/UXvnZHixDKPKS6tfeGHgdARylnPiJLwQGyYxuD97TYbSg2wrzsf/bDrHwQYZaf8Gu5ryYP0UAA==',
    }),
    custom: custom.meta({ description: 'Members that are signed together with the hash.' }),
  });

const proofs = z
  .array(proofOf(z.strictObject({ moment })))
  .meta({ description: 'The signature of the installation.' });

const SchemaFault = z.strictObject({
  instancePath: z.string().meta({ description: 'Where in the value.', example: '/handle' }),
  schemaPath: z
    .string()
    .meta({ description: 'Where in the schema.', example: '#/properties/handle/pattern' }),
  keyword: z.string().meta({ description: 'The keyword that failed.', example: 'pattern' }),
  params: z
    .looseObject({})
    .meta({ description: 'The value that the keyword asked for.', example: { pattern: '^[a-z]+$' } }),
  message: z.string().meta({ description: 'The same in words.', example: 'must match pattern "^[a-z]+$"' }),
});

const LedgerErrorBody = z
  .strictObject({
    hash: hex('SHA-256 over the canonical JSON of `data`.'),
    data: z
      .strictObject({
        custom: z
          .strictObject({
            errors: z.array(SchemaFault).meta({ description: 'The parts that do not fit the schema.' }),
          })
          .optional()
          .meta({ description: 'With `record.schema-invalid` only.' }),
        reason: z.string().meta({ description: 'Stable name of the error.', example: 'auth.unauthorized' }),
        detail: z.string().meta({ description: 'The error in words.', example: 'Invalid token.' }),
      })
      .meta({ description: 'The error.' }),
    meta: z.strictObject({ proofs }).meta({ description: 'How it is signed.' }),
  })
  .meta({ id: 'MinkaError', description: 'A signed error of the Minka surface.' });

const recordOf = <Data extends z.ZodType, Custom extends z.ZodType>(
  data: Data,
  custom: Custom,
  meta: Record<string, z.ZodType> = {},
) => ({
  hash: hex('SHA-256 over the canonical JSON of `data`.'),
  data,
  meta: z
    .strictObject({
      proofs: z.array(proofOf(custom)).meta({ description: 'The signature of the installation.' }),
      moment,
      ...meta,
    })
    .meta({ description: 'How it is signed.' }),
});

const status = z
  .enum(['active', 'inactive'])
  .meta({ description: 'State of the bridge: `active` where it is enabled.', example: 'active' });

/** The signed status of the server. */
export const StatusRecord = z
  .strictObject(
    recordOf(
      z
        .strictObject({
          handle: z.literal('redrive').meta({ description: 'Always the same.', example: 'redrive' }),
          server: z.literal('redrive').meta({ description: 'The server.', example: 'redrive' }),
          semver: z.string().meta({ description: 'Version of the service.', example: '0.1.0' }),
          status: z
            .enum(['UP', 'DOWN'])
            .meta({ description: 'State of the server: `UP` where it can serve.', example: 'UP' }),
          uptime: z.int().meta({ description: 'Seconds since it was started.', example: 3_600 }),
          dependencies: z
            .strictObject({
              db: z.enum(['CONNECTED', 'ERROR']).meta({ description: 'Its database.', example: 'CONNECTED' }),
            })
            .meta({ description: 'The parts that it depends on.' }),
        })
        .meta({ description: 'The status.' }),
      z.strictObject({ moment }),
    ),
  )
  .meta({ id: 'MinkaStatus', description: 'Status of the server.' });

/** The signed record of the signer of the installation. */
export const SignerRecord = z
  .strictObject(
    recordOf(
      z
        .strictObject({
          handle: z.literal('system').meta({ description: 'Always the same.', example: 'system' }),
          format: z
            .literal('ed25519-raw')
            .meta({ description: 'How the key is written.', example: 'ed25519-raw' }),
          public: z.string().meta({
            description: 'Public key of the installation.',
            example: 'bctQzN7mjMUNBIx4aSC8WYn03GJWoJjL/KrDb38oU5c=',
          }),
        })
        .meta({ description: 'The signer.' }),
      z.strictObject({ moment }),
    ),
  )
  .meta({ id: 'MinkaSigner', description: 'The key that the answers of the Minka surface are signed with.' });

/** The signed record of a bridge. */
export const BridgeRecord = z
  .strictObject({
    luid: z.string().meta({ description: 'Luid of the bridge.', example: '$brg.-0cL_Ii6_QQ57H9N7' }),
    ...recordOf(
      z
        .strictObject({
          handle: z.string().meta({ description: 'Handle of the bridge.', example: 'mint' }),
          schema: z.literal('rest').meta({ description: 'How it is spoken to.', example: 'rest' }),
          config: z
            .strictObject({
              server: z.string().meta({
                description: 'Where it is, without query.',
                example: 'https://hooks.example/mint',
              }),
            })
            .meta({ description: 'Where it is.' }),
        })
        .meta({ description: 'The bridge.' }),
      z.strictObject({ moment, status }),
      { status },
    ),
  })
  .meta({ id: 'MinkaBridge', description: 'A bridge.' });

/** The signed list of the events of a bridge. */
export const EventList = z
  .strictObject({
    hash: hex('SHA-256 over the canonical JSON of `data`.'),
    meta: z.strictObject({ proofs, moment }).meta({ description: 'How it is signed.' }),
    data: z
      .array(
        z.strictObject({
          hash: hex('SHA-256 over the canonical JSON of `data`.'),
          meta: z
            .strictObject({
              proofs: z
                .array(
                  proofOf(
                    z.strictObject({
                      moment,
                      status: z
                        .enum(BRIDGE_EVENT_STATUSES)
                        .meta({ description: 'Its state at that moment.', example: 'failed' }),
                    }),
                  ),
                )
                .meta({ description: 'Signed in the state it is in.' }),
              moment,
              status: z
                .enum(BRIDGE_EVENT_STATUSES)
                .meta({ description: 'The status of the delivery.', example: 'failed' }),
              replay: z.int().meta({ description: 'Completed attempts.', example: 5 }),
            })
            .meta({ description: 'State of the delivery.' }),
          data: z
            .strictObject({
              handle: z.uuid().meta({
                description: 'Id of the delivery, the same for every retry.',
                example: '0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9f',
              }),
              bridge: z.string().meta({ description: 'Handle of the bridge.', example: 'mint' }),
              record: z
                .literal('intent')
                .meta({ description: 'The kind of the record that is delivered.', example: 'intent' }),
              linked: z.uuid().meta({
                description: 'Id of the event that is delivered.',
                example: '0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9e',
              }),
            })
            .meta({ description: 'The event that is delivered, and its bridge.' }),
        }),
      )
      .meta({ description: 'The events of this page, newest first.' }),
    page: z
      .strictObject({
        index: z.int().meta({ description: 'Number of the page, from 0.', example: 0 }),
        limit: z.int().meta({ description: 'Events of a page at most.', example: 10 }),
      })
      .meta({ description: 'Which page it is.' }),
  })
  .meta({ id: 'MinkaEventList', description: 'Events of a bridge.' });

/** The headers that any route reads. */
export const LEDGER_HEADERS = {
  'x-ledger': {
    description:
      'Handle or id of the ledger, a tenant; the only ledger that knows the signer where left out.',
    example: 'acme',
  },
  authorization: {
    description: '`Bearer` and a JWT that a registered signer has signed (EdDSA).',
    example: 'Bearer eyJhbGciOiJFZERTQSIsImtpZCI6Im1pbnQifQ…',
  },
};

/** The bridge that a path names. */
export const BRIDGE_PARAMS = z.strictObject({
  id: z.string().meta({
    description: 'Luid or handle (address) of the bridge.',
    example: '$brg.-0cL_Ii6_QQ57H9N7',
  }),
});

/** The errors that any route can answer. */
export const ERROR_RESPONSES: Record<number, RouteResponse> = {
  400: { description: '`api.body-malformed`.', schema: LedgerErrorBody },
  401: { description: '`auth.unauthorized`.', schema: LedgerErrorBody },
  403: { description: '`auth.forbidden`.', schema: LedgerErrorBody },
  404: { description: '`record.not-found` or `api.route-not-found`.', schema: LedgerErrorBody },
  422: { description: '`record.schema-invalid` or `crypto.…`.', schema: LedgerErrorBody },
  429: { description: '`api.rate-limit-exceeded`.', schema: LedgerErrorBody },
  500: { description: '`api.unexpected-error`.', schema: LedgerErrorBody },
};
