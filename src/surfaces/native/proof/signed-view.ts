import { z } from 'zod';
import { type Problem, problem } from '../../../api/problems/problem.ts';
import { type Id, showId } from '../../../domain/tenancy/typed-id.ts';

/** The media type of a JWS as JSON (RFC 7515, section 9.2.1). */
export const JOSE = 'application/jose+json';

/** A hash that is shown, in hexadecimal. */
export function hash(description: string) {
  return z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .meta({ description, example: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' });
}

/** Something signed: the payload is attached, and is its canonical JSON (RFC 8785). */
export const Jws = z
  .strictObject({
    payload: z.string().meta({ description: 'The payload, in base64url.', example: 'eyJ2IjoxfQ' }),
    protected: z.string().meta({
      description: 'The header, in base64url: `alg`, `kid` and `typ`.',
      example: 'eyJhbGciOiJFZERTQSJ9',
    }),
    signature: z.string().meta({ description: 'Ed25519, in base64url.', example: 'aGVsbG8' }),
  })
  .meta({ id: 'Jws', description: 'A JSON Web Signature (RFC 7515) in flattened JSON.' });

/** Shows what something was signed with. */
export function signatureView({
  keyId,
  digest,
  signedAt,
}: {
  keyId: Id<'signingKey'>;
  digest: Buffer;
  signedAt: Date;
}) {
  return {
    kid: showId('signingKey', keyId),
    digest: digest.toString('hex'),
    signedAt: signedAt.toISOString(),
  };
}

/** The answer about the proof of an operation that closed when none was made. */
export function notSigned(): Problem {
  return problem('state_conflict', {
    detail:
      'This operation closed before reports were signed: its result is in its plain report, and its items as they are now are in its ledger.',
  });
}
