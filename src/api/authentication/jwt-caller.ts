import { createHash } from 'node:crypto';
import {
  createLocalJWKSet,
  decodeJwt,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';
import { commonScopes, type Scope } from '../../domain/tenancy/scope.ts';
import { readId, showId } from '../../domain/tenancy/typed-id.ts';
import { KeysUnavailableError } from '../../outbound/key-sets.ts';
import { jwtIssuerSecretContext } from '../../sealing/sealing-contexts.ts';
import {
  findIssuersOfTenants,
  findJwtIssuers,
  type JwtIssuer,
  type TenantName,
} from '../../store/tenancy/jwt-issuers.ts';
import { errorCode } from '../../telemetry/error-code.ts';
import type { ApiDeps } from '../api-deps.ts';
import type { Caller } from './caller.ts';

/** Why a token is refused. */
export type TokenRefusal =
  | { refused: 'credential_invalid' | 'credential_expired' | 'credential_revoked' }
  /** It is good, but for another tenant than the one that is named, or none is named. */
  | { refused: 'of_another_tenant' }
  /** The keys that would tell cannot be read now. */
  | { refused: 'temporarily_unavailable'; retryAfterSeconds: number };

const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]*$/;
/** Clocks differ: a token is accepted for this long before and after its own times. */
const LEEWAY_SECONDS = 30;
/** Limits that an ordinary token stays far below. */
const MAX_CLAIM_LENGTH = 2_048;
const MAX_AUDIENCES = 20;
/** The last millisecond of the year 9999. */
const END_OF_TIME_MS = Date.UTC(10_000, 0) - 1;
/** A longer or stranger subject is named by its digest: an actor is stored, shown and compared. */
const PLAIN_SUBJECT = /^[\x21-\x7e]{1,128}$/;

/** Whether a credential has the form of a token (JWT), signed or not. */
export function isToken(credential: string): boolean {
  return TOKEN.test(credential);
}

/**
 * Finds the caller that a token speaks for. Its claims count only once its signature has been verified with the key and
 * the one algorithm that were registered for its `iss` and `aud`: by the tenant that the request names, or by the
 * installation. Issuers of the installation are tried first, so that no tenant takes over their tokens by registering
 * the same issuer.
 */
export async function callerOfToken(
  deps: Pick<ApiDeps, 'pool' | 'sealer' | 'keySets' | 'log'>,
  token: string,
  named: string | undefined,
): Promise<Caller | TokenRefusal> {
  const claimed = claimedIssuer(token);
  if (!claimed) return { refused: 'credential_invalid' };
  const found = await findJwtIssuers(deps.pool, { ...claimed, named: tenantNamed(named) });
  const working = found.filter(({ revokedAt }) => !revokedAt);
  // Not verified: nobody is asked for the keys of an issuer that was revoked.
  if (working.length === 0 && found.length > 0) return { refused: 'credential_revoked' };
  for (const byInstallation of [true, false]) {
    const [issuer, other] = working.filter((each) => each.byInstallation === byInstallation);
    if (!issuer) continue;
    // Where two issuers would both take it, nothing tells which one is meant.
    if (other) return { refused: 'credential_invalid' };
    const caller = await callerByIssuer(deps, token, issuer);
    if (!('refused' in caller) || caller.refused !== 'credential_invalid') return caller;
  }
  const elsewhere = await isOfSomeTenant(deps, token, claimed);
  return { refused: elsewhere ? 'of_another_tenant' : 'credential_invalid' };
}

/**
 * Whether a token is good for another tenant: it speaks for nobody here, but is refused in other words than a bad one.
 */
async function isOfSomeTenant(
  deps: Pick<ApiDeps, 'pool' | 'sealer' | 'keySets' | 'log'>,
  token: string,
  claimed: { issuer: string; audiences: string[] },
): Promise<boolean> {
  for (const issuer of await findIssuersOfTenants(deps.pool, claimed))
    if (!('refused' in (await callerByIssuer(deps, token, issuer)))) return true;
  return false;
}

async function callerByIssuer(
  { sealer, keySets, log }: Pick<ApiDeps, 'sealer' | 'keySets' | 'log'>,
  token: string,
  found: JwtIssuer,
): Promise<Caller | TokenRefusal> {
  try {
    const secretOrKeys = found.sealedSecret
      ? sealer.open(found.sealedSecret, jwtIssuerSecretContext(found.id))
      : found.jwksUrl === undefined
        ? createLocalJWKSet(found.jwks ?? { keys: [] })
        : keySets(found.jwksUrl);
    return callerFrom(found, await verified(token, secretOrKeys, found));
  } catch (error) {
    if (error instanceof KeysUnavailableError) {
      const cause = errorCode(error.cause);
      log.warn({ jwtIssuerId: found.id, code: error.code, cause }, 'jwt.keys-unavailable');
      return { refused: 'temporarily_unavailable', retryAfterSeconds: error.retryAfterSeconds };
    }
    if (error instanceof errors.JWTExpired) return { refused: 'credential_expired' };
    // jose throws a TypeError where a published key is not fit for the algorithm.
    if (error instanceof errors.JOSEError || error instanceof TypeError)
      return { refused: 'credential_invalid' };
    throw error;
  }
}

function tenantNamed(named: string | undefined): TenantName | undefined {
  if (named === undefined || named === '') return undefined;
  const id = readId('tenant', named);
  // A NUL cannot be compared in Postgres; no handle has one.
  return id === undefined ? { handle: named.replaceAll('\0', '') } : { id };
}

async function verified(
  token: string,
  secretOrKeys: Uint8Array | JWTVerifyGetKey,
  { algorithm, issuer, audience }: JwtIssuer,
): Promise<JWTPayload> {
  const options: JWTVerifyOptions = {
    algorithms: [algorithm],
    issuer,
    audience,
    requiredClaims: ['exp'],
    clockTolerance: LEEWAY_SECONDS,
  };
  if (secretOrKeys instanceof Uint8Array) return (await jwtVerify(token, secretOrKeys, options)).payload;
  try {
    return (await jwtVerify(token, secretOrKeys, options)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    // Without a `kid`, any of the keys may have signed it.
    for await (const key of error) {
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (inner) {
        if (!(inner instanceof errors.JWSSignatureVerificationFailed)) throw inner;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

function claimedIssuer(token: string): { issuer: string; audiences: string[] } | undefined {
  try {
    const { iss, aud } = decodeJwt(token);
    const audiences = [aud].flat();
    return isComparable(iss) && audiences.length <= MAX_AUDIENCES && audiences.every(isComparable)
      ? { issuer: iss, audiences }
      : undefined;
  } catch {
    return undefined;
  }
}

/** A NUL cannot be compared in Postgres. */
function isComparable(claim: unknown): claim is string {
  return typeof claim === 'string' && claim.length <= MAX_CLAIM_LENGTH && !claim.includes('\0');
}

function callerFrom(issuer: JwtIssuer, payload: JWTPayload): Caller {
  return {
    actor: `jwt:${showId('jwtIssuer', issuer.id)}:${subjectOf(payload)}`,
    token: { issuerId: issuer.id, expiresAt: expiryOf(payload) },
    scopes: grantedScopes(issuer.scopes, payload),
    ...(issuer.tenant ? { tenant: issuer.tenant } : {}),
  };
}

/** Verified, it is a number; one that no clock reaches stands for the end of time. */
function expiryOf({ exp = 0 }: JWTPayload): Date {
  return new Date(Math.min(exp * 1_000, END_OF_TIME_MS));
}

function subjectOf({ sub }: JWTPayload): string {
  if (typeof sub !== 'string') return '';
  return PLAIN_SUBJECT.test(sub) ? sub : `sha256:${createHash('sha256').update(sub).digest('hex')}`;
}

/** A claim of scopes narrows the registered ones; one that cannot be read grants nothing. */
function grantedScopes(registered: Scope[], { scope, scp }: JWTPayload): Scope[] {
  return [scope, scp]
    .filter((claim) => claim !== undefined)
    .reduce<Scope[]>((granted, claim) => commonScopes(granted, words(claim)), registered);
}

function words(claim: unknown): string[] {
  if (typeof claim === 'string') return claim.split(' ');
  return Array.isArray(claim) ? claim.filter((word) => typeof word === 'string') : [];
}
