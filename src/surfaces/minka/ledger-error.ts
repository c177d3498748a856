import type { Reply } from '../../api/reply.ts';
import { hashOf, systemProof } from './envelope.ts';
import type { SystemSigner } from './system-signer.ts';

/** An error in the words of the Minka Ledger. */
export interface LedgerError {
  status: number;
  reason: string;
  detail: string;
  custom?: Record<string, unknown>;
  headers?: Record<string, string>;
}

/** Its errors, in the words and statuses of the document, of its completion, and of its public tables of errors. */
export const ledgerErrors = {
  unauthorized: { status: 401, reason: 'auth.unauthorized', detail: 'Invalid token.' },
  forbidden: { status: 403, reason: 'auth.forbidden', detail: 'Request is not authorized' },
  ledgerNotSet: { status: 404, reason: 'api.route-not-found', detail: 'Active ledger is not set!' },
  routeNotFound: { status: 404, reason: 'api.route-not-found', detail: 'Route not found' },
  bodyMalformed: { status: 400, reason: 'api.body-malformed', detail: 'Request body is malformed' },
  signatureMissing: {
    status: 422,
    reason: 'crypto.signature-missing',
    detail: 'Ledger mutations must be signed.',
  },
  rateLimited: { status: 429, reason: 'api.rate-limit-exceeded', detail: 'Rate limit exceeded' },
  unexpected: { status: 500, reason: 'api.unexpected-error', detail: 'An unexpected error occurred' },
  notFound: (kind: 'Signer' | 'Bridge' | 'Event'): LedgerError => ({
    status: 404,
    reason: 'record.not-found',
    detail: `${kind} not found`,
  }),
  hashInvalid: (hash: string): LedgerError => ({
    status: 422,
    reason: 'crypto.hash-invalid',
    detail: `Invalid record hash: ${hash}`,
  }),
  signatureInvalid: (publicKey: string): LedgerError => ({
    status: 422,
    reason: 'crypto.signature-invalid',
    detail: `Invalid signature for key: ${publicKey}`,
  }),
} as const;

/** Whether a value is an error and not the result that was hoped for. */
export function isLedgerError(value: object): value is LedgerError {
  return 'reason' in value;
}

/** The error as it is sent: signed by the installation at this moment. */
export function signedError(signer: SystemSigner, error: LedgerError, now: Date): string {
  const { custom, reason, detail } = error;
  const data = { ...(custom ? { custom } : {}), reason, detail };
  const hash = hashOf(data);
  const proofs = [systemProof(signer, hash, { moment: now.toISOString() })];
  return JSON.stringify({ hash, data, meta: { proofs } });
}

/** The error as a reply of a route. */
export function errorReply(signer: SystemSigner, error: LedgerError): Reply {
  return {
    status: error.status,
    json: signedError(signer, error, new Date()),
    ...(isUnauthenticated(error) ? { unauthenticated: true } : {}),
    ...(error.headers ? { headers: error.headers } : {}),
  };
}

/** Whether it says that nobody knows who signed the request. */
function isUnauthenticated({ reason, detail }: LedgerError): boolean {
  return (
    reason === ledgerErrors.unauthorized.reason ||
    reason.startsWith('crypto.signature-') ||
    detail === ledgerErrors.notFound('Signer').detail
  );
}
