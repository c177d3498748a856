import { createHash } from 'node:crypto';
import type { TenantRef } from '../../api/authentication/caller.ts';
import { problem } from '../../api/problems/problem.ts';
import { IDEMPOTENCY_KEEP_MS, idempotencyScope } from '../../api/requests/idempotency.ts';
import { canonicalJson } from '../../domain/json/canonical-json.ts';
import type { AcceptRequest } from '../../operations/accepting/accept-request.ts';
import type { ZenProblem } from './problems.ts';

/** The header, for the documents of routes. */
export const KEY_HEADER = {
  'Idempotency-Key': {
    description:
      'Makes repeating the request safe for 24 hours: a repeat gets the first answer again. One key space a tenant, for all routes.',
    example: 'idem_key_1',
  },
};

/** The meaning of a key: the route with the event, the set of deliveries or the range, in any spelling. */
export function idempotencyOf(
  tenant: TenantRef,
  key: string | undefined,
  asked: { route: 'retry' | 'batch' | 'replay'; of: unknown },
): Pick<AcceptRequest, 'idempotency'> {
  if (key === undefined) return {};
  return {
    idempotency: {
      scope: idempotencyScope(tenant.id, 'zen-mesh', '*'),
      key,
      fingerprint: createHash('sha256').update(canonicalJson(asked)).digest(),
      keep: { ms: IDEMPOTENCY_KEEP_MS },
    },
  };
}

/** The key belongs to another request. */
export function keyConflict(key: string | undefined): ZenProblem {
  return { ...problem('idempotency_key_reused'), ...(key === undefined ? {} : { idempotencyKey: key }) };
}
