import { z } from 'zod';
import { AUDIT_ACTIONS } from '../../../domain/audit/audit-action.ts';
import { shownId, shownTime } from '../fields.ts';
import { Jws } from '../proof/signed-view.ts';

const hash = (description: string) =>
  z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .meta({ description, example: 'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9' });

const words = z
  .strictObject({
    reason: z.string().optional().meta({ description: 'The reason.', example: 'the receiver was down' }),
    ticket: z.string().optional().meta({ description: 'The ticket.', example: 'INC-4711' }),
  })
  .nullable()
  .meta({ description: 'The words that came with it; null where there were none, or they were erased.' });

/** An act in its place in the chain. */
export const AuditEntryView = z
  .strictObject({
    number: z.int().meta({ description: 'Its place in the chain of the tenant, from 1 on.', example: 42 }),
    id: shownId('auditEntry', 'Id of the entry.'),
    tenant: shownId('tenant', 'The tenant whose audit it is in.'),
    at: shownTime('When it was done.'),
    actor: z.string().meta({
      description:
        'Who did it, as the credential names it: `key_…`, `jwt:iss_…:<subject>`, `signer:<handle>`.',
      example: 'key_01k9z3e5hbe7r9qk2m4n6p8r0s',
    }),
    keyId: shownId('key', 'The API key, where it was done with one.').nullable(),
    action: z.string().meta({
      description: `What was done: ${Object.keys(AUDIT_ACTIONS).join(', ')}.`,
      example: 'operation.accepted',
    }),
    target: z.string().meta({
      description: 'Id of what it was done to.',
      example: 'op_01k9z3e5hbe7r9qk2m4n6p8r0s',
    }),
    detail: z
      .record(z.string(), z.unknown())
      .meta({ description: 'Its facts: ids, counts, codes and names of members.', example: { version: 2 } }),
    wordsDigest: hash(
      'SHA-256 of `redrive.audit.words.v1`, a newline, `salt`, and the RFC 8785 JSON of `words`; null where there were none.',
    ).nullable(),
    words,
    salt: z
      .string()
      .regex(/^[0-9a-f]{32}$/)
      .nullable()
      .meta({
        description: 'Salt of the digest; erased with the words.',
        example: '00112233445566778899aabbccddeeff',
      }),
    prev: hash('`hash` of the entry before; 64 zeros for the first.'),
    hash: hash(
      'SHA-256 of `redrive.audit.v1`, a newline, `prev`, and the RFC 8785 JSON of the members from `number` to `wordsDigest`.',
    ),
  })
  .meta({ id: 'AuditEntry', description: 'One act of a person or a client, sealed.' });

/** The end of a chain at some time. */
export const AuditCheckpointView = z
  .strictObject({
    tenant: shownId('tenant', 'The tenant.'),
    number: z.int().meta({ description: 'The newest entry then.', example: 42 }),
    hash: hash('Its hash.'),
    at: shownTime('When.'),
    jws: Jws.nullable().meta({
      description:
        'The same, signed by a key of reports (`typ: redrive-checkpoint+json`); null where it was kept before checkpoints were signed.',
    }),
  })
  .meta({ id: 'AuditCheckpoint', description: 'The end of the chain of a tenant at some time.' });
