import { createRateLimiter, DEFAULT_RATE_LIMIT } from '../../api/limits/rate-limit.ts';
import { logActs } from '../../api/log-acts.ts';
import type { FieldError, Problem } from '../../api/problems/problem.ts';
import { problem } from '../../api/problems/problem.ts';
import type { Surface } from '../../api/surface.ts';
import { accessRuleRoutes } from './administration/access-rules.ts';
import { ACTS } from './administration/acts.ts';
import { signerRoutes } from './administration/signers.ts';
import { type LedgerError, ledgerErrors, signedError } from './ledger-error.ts';
import { listEventsRoute } from './list-events.ts';
import { readRoutes } from './read-records.ts';
import { retryEventsRoute } from './retry-events.ts';
import { type SchemaFault, schemaInvalid } from './schema-check.ts';
import { systemSigner } from './system-signer.ts';

/** The Minka Ledger: requests are signed in their bodies or by tokens, and every answer in JSON is signed, too. */
export const minkaSurface: Surface = {
  name: 'minka',
  title: 'Minka Ledger',
  prefixes: ['/v2'],
  credentials: {
    signerToken: {
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
      description:
        'A JWT that a registered signer has signed (EdDSA). A retry is signed in its body instead.',
    },
  },
  // Its credentials can be in the body, which is read later: its routes are open to anyone and look for themselves.
  authenticate: async () => problem('credential_missing'),
  renderProblem(failure, { deps }) {
    const error = errorFor(failure);
    return {
      status: error.status,
      contentType: 'application/json; charset=utf-8',
      body: signedError(systemSigner(deps.sealer), error, new Date()),
      ...(failure.headers ? { headers: failure.headers } : {}),
    };
  },
  // Error handling of bridges: 1 s, times 1.2 each, at most 1 h, at most 5 attempts.
  preset: { config: { retry: { maxAttempts: 5, initialMs: 1_000, factor: 1.2, capMs: 3_600_000 } } },
  administration: (deps) => logActs(deps.log, ACTS, [...signerRoutes(deps), ...accessRuleRoutes(deps)]),
  routes(deps) {
    const quota = createRateLimiter(deps, 'minka', deps.rateLimit ?? DEFAULT_RATE_LIMIT);
    return [retryEventsRoute(deps, quota), listEventsRoute(deps, quota), ...readRoutes(deps, quota)];
  },
};

/** Words refusals from before a route, and accidents, as errors of the ledger. */
function errorFor({ problem: code, errors = [] }: Problem): LedgerError {
  switch (code) {
    case 'malformed_json':
    case 'nested_too_deep':
    case 'body_too_large':
    case 'payload_too_large':
    case 'too_many_members':
    case 'unsupported_media_type':
    case 'unsupported_content_encoding':
      return ledgerErrors.bodyMalformed;
    case 'rate_limited':
      return ledgerErrors.rateLimited;
    // Routes check their own bodies and queries: only a query or a path that cannot be decoded is left.
    case 'invalid_request':
      return errors.some(({ parameter }) => parameter !== undefined)
        ? schemaInvalid(errors.map(undecodable), 'query')
        : ledgerErrors.routeNotFound;
    case 'route_not_found':
    case 'method_not_allowed':
    case 'not_found':
      return ledgerErrors.routeNotFound;
    case 'credential_missing':
    case 'credential_invalid':
    case 'credential_expired':
    case 'credential_revoked':
      return ledgerErrors.unauthorized;
    case 'insufficient_scope':
      return ledgerErrors.forbidden;
    default:
      return ledgerErrors.unexpected;
  }
}

function undecodable({ parameter = '' }: FieldError): SchemaFault {
  return {
    instancePath: `/${parameter}`,
    schemaPath: '#/contentEncoding',
    keyword: 'contentEncoding',
    params: {},
    message: 'must be UTF-8 in percent-encoding',
  };
}
