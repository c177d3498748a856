import { PROOF_METHOD } from './envelope.ts';
import { schemaCheck } from './schema-check.ts';

/** A signed request. Keys and signatures are texts here: whether they are valid is for the cryptography to say. */
export const ENVELOPE = {
  type: 'object',
  properties: {
    hash: { type: 'string', pattern: '^[A-Fa-f0-9]{64}$' },
    data: { type: 'object' },
    meta: {
      type: 'object',
      properties: {
        // Beside the signatures: no proof covers it, and nothing follows from it.
        moment: { type: 'string', minLength: 1, maxLength: 100 },
        proofs: {
          type: 'array',
          maxItems: 16,
          items: {
            type: 'object',
            properties: {
              signer: { type: 'string', maxLength: 100 },
              method: { type: 'string', enum: [PROOF_METHOD] },
              digest: { type: 'string', maxLength: 100 },
              public: { type: 'string', maxLength: 100 },
              result: { type: 'string', maxLength: 100 },
              custom: { type: 'object', properties: { moment: { type: 'string', minLength: 1 } } },
            },
            required: ['method', 'digest', 'public', 'result'],
            additionalProperties: false,
          },
        },
      },
      additionalProperties: false,
    },
  },
  required: ['hash', 'data'],
  additionalProperties: false,
};

/** The schema of the data of a retry; an unknown member is refused, for a misspelt one must not widen the retry. */
const RETRY_DATA = {
  type: 'object',
  properties: {
    maxAge: { type: 'integer', minimum: 0 },
    handle: { type: 'string', pattern: '^[a-zA-Z0-9_\\-+.]+$' },
  },
  additionalProperties: false,
};

/** The data of a retry that has been checked. */
export interface RetryData {
  /** Minutes. */
  maxAge?: number;
  handle?: string;
}

/** Checks the envelope of a request. */
export const checkEnvelope = schemaCheck(ENVELOPE);

/** Checks the data of a retry. */
export const checkRetryData = schemaCheck(RETRY_DATA, 'data');

/** The query of a call that takes none. */
export const checkEmptyQuery = schemaCheck({ type: 'object', additionalProperties: false }, 'query');
