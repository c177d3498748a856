import { timingSafeEqual } from 'node:crypto';
import { hasScope, type Scope } from '../../domain/tenancy/scope.ts';
import { readId, showId } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../../store/db/queryable.ts';
import { findApiKey } from '../../store/tenancy/api-keys.ts';
import { findTenant } from '../../store/tenancy/tenants.ts';
import type { ApiDeps } from '../api-deps.ts';
import { type Problem, problem } from '../problems/problem.ts';
import { hashApiKey } from './api-key.ts';
import type { Caller, TenantRef } from './caller.ts';
import { callerOfToken, isToken, type TokenRefusal } from './jwt-caller.ts';

/** The credential of `Authorization: Bearer <credential>`. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +([\x21-\x7e]{1,8192})$/i.exec(authorization ?? '')?.[1];
}

/** The credential of `X-API-Key: <credential>`. */
export function apiKeyHeader(header: string | undefined): string | undefined {
  return /^[\x21-\x7e]{1,8192}$/.exec(header ?? '')?.[0];
}

/** The subject of a call, as far as the check of its credential needs it. */
export interface CalledFor {
  /** The tenant that the request names, by id or handle. */
  named?: string | undefined;
  /** It is about the installation, and no tenant's. */
  installation?: boolean;
}

/**
 * Finds the caller that a credential, an API key or a token (JWT), belongs to, or why it is refused. Where no tenant is
 * named, only tokens of issuers that the installation registered are known.
 */
export async function callerOf(
  deps: Pick<ApiDeps, 'pool' | 'sealer' | 'keySets' | 'log'>,
  credential: string | undefined,
  calledFor: CalledFor,
): Promise<Caller | Problem> {
  if (credential === undefined) return refuse('credential_missing');
  if (isToken(credential)) {
    const caller = await callerOfToken(deps, credential, calledFor.named);
    return 'refused' in caller ? refusedToken(caller, calledFor) : caller;
  }
  const hash = hashApiKey(credential);
  const found = await findApiKey(deps.pool, hash);
  if (found === undefined || !timingSafeEqual(found.hash, hash)) return refuse('credential_invalid');
  if (found.revoked) return refuse('credential_revoked');
  if (found.expired) return refuse('credential_expired');
  return {
    actor: found.actor ?? showId('key', found.id),
    keyId: found.id,
    scopes: found.scopes,
    ...(found.grant ? { grant: found.grant } : {}),
    ...(found.tenant ? { tenant: found.tenant } : {}),
  };
}

/**
 * The tenant that a caller names by uuid, TypeID or handle, where it may act for it: its own, or any for a credential
 * of the installation. For the caller, any other does not exist.
 */
export async function tenantFor(
  db: Queryable,
  caller: Caller,
  named: string,
): Promise<TenantRef | undefined> {
  const id = readId('tenant', named);
  if (caller.tenant)
    return caller.tenant.handle === named || caller.tenant.id === id ? caller.tenant : undefined;
  // A NUL cannot be compared in Postgres; no handle has one.
  if (named.includes('\0')) return undefined;
  const tenant = await findTenant(db, id === undefined ? { handle: named } : { id });
  return tenant && { id: tenant.id, handle: tenant.handle };
}

/** The refusal of a caller that has neither this scope nor its `part`; undefined where it has one of them. */
export function refusedScope(caller: Caller, scope: Scope, part: Scope = scope): Problem | undefined {
  if (hasScope(caller.scopes, scope) || hasScope(caller.scopes, part)) return undefined;
  // A grant has parts only: its key could never get the whole.
  const needed = caller.grant ? part : scope;
  return problem('insufficient_scope', {
    scope,
    ...(part === scope ? {} : { part }),
    detail: `This call needs the scope \`${needed}\`, which this credential does not have.`,
  });
}

function refuse(
  code: 'credential_missing' | 'credential_invalid' | 'credential_revoked' | 'credential_expired',
  detail?: string,
): Problem {
  return problem(code, {
    headers: { 'www-authenticate': 'Bearer realm="redrive"' },
    ...(detail === undefined ? {} : { detail }),
  });
}

/** The same codes as for keys; only the advice differs. */
function refusedToken(refusal: TokenRefusal, { named, installation }: CalledFor): Problem {
  switch (refusal.refused) {
    case 'of_another_tenant':
      if (installation) return problem('insufficient_scope', { scope: 'admin' });
      return named ? problem('not_found') : refusedToken({ refused: 'credential_invalid' }, {});
    case 'temporarily_unavailable':
      return problem('temporarily_unavailable', {
        detail: 'The keys that the issuer of this token publishes cannot be read at present.',
        headers: { 'retry-after': String(refusal.retryAfterSeconds) },
      });
    case 'credential_invalid':
      return refuse(
        refusal.refused,
        'This token is refused: its `iss` and `aud` are not registered together, or its algorithm, signature, `exp` or `nbf` is not as it must be. Where its issuer was registered by a tenant, the request must name that tenant.',
      );
    case 'credential_expired':
      return refuse(refusal.refused, 'This token has expired: get a new one from its issuer.');
    case 'credential_revoked':
      return refuse(refusal.refused, 'The issuer of this token was revoked here.');
  }
}
