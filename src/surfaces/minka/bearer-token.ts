import { createHash } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose';
import { bearerToken } from '../../api/authentication/authentication.ts';
import type { Call } from '../../api/route.ts';
import { canonicalJson } from '../../domain/json/canonical-json.ts';
import { type Id, readId } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../../store/db/queryable.ts';
import { bytesOf, ed25519Key } from './envelope.ts';
import { signersByHandle, signersByKey, type TenantSigner } from './store/signers.ts';

/** A token that its key has signed. */
export interface VerifiedToken {
  /** Whose key it is, in each tenant that has registered it. */
  signers: TenantSigner[];
  /** Whom it is meant for. */
  audience: string[];
}

/** The request that a token came with. */
export type TokenRequest = Pick<Call, 'header' | 'url' | 'rawBody'> & { method: 'GET' | 'POST' };

/** More audiences than these name no ledger. */
const MAX_AUDIENCES = 20;
const CLOCK_TOLERANCE_SECONDS = 5;
const HSH = /^(?<hash>[0-9a-f]{64})(:(?<names>([!#$%&'*+.^_`|~0-9a-z-]+(,[!#$%&'*+.^_`|~0-9a-z-]+)*)?))?$/;

/** Verifies the token in the header `Authorization`; undefined where it is not valid, for any reason. */
export async function verifyToken(
  db: Queryable,
  request: TokenRequest,
  tenantId: Id<'tenant'> | undefined,
): Promise<VerifiedToken | undefined> {
  const token = bearerToken(request.header('authorization'));
  const kid = token === undefined ? undefined : keyIdOf(token);
  if (token === undefined || kid === undefined) return undefined;
  const key = bytesOf(kid, 32);
  const known = key
    ? await signersByKey(db, [key], tenantId)
    : await signersByHandle(
        db,
        kid,
        tenantId === undefined ? ledgersOf(token) : { ids: [tenantId], handles: [] },
      );
  for (const publicKey of distinctKeys(known)) {
    const claims = await claimsOf(token, publicKey);
    if (!claims) continue;
    if (!isForRequest(claims.hsh, request)) return undefined;
    return {
      signers: known.filter((signer) => signer.publicKey.equals(publicKey)),
      audience: [claims.aud ?? []].flat(),
    };
  }
  return undefined;
}

function keyIdOf(token: string): string | undefined {
  try {
    const { alg, kid } = decodeProtectedHeader(token);
    // A NUL cannot be compared in Postgres; neither keys nor handles have one.
    const usable = alg === 'EdDSA' && typeof kid === 'string' && kid !== '' && !kid.includes('\0');
    return usable ? kid : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The ledgers that a token says it is meant for, where nothing else names one. Not verified yet: it says where to look
 * for the key, and the key says whether it is so.
 */
function ledgersOf(token: string): { ids: Id<'tenant'>[]; handles: string[] } {
  try {
    const names = [decodeJwt(token).aud ?? []]
      .flat()
      .slice(0, MAX_AUDIENCES)
      // A NUL cannot be compared in Postgres; no handle has one.
      .filter((name) => typeof name === 'string' && !name.includes('\0'));
    return { ids: names.flatMap((name) => readId('tenant', name) ?? []), handles: names };
  } catch {
    return { ids: [], handles: [] };
  }
}

function distinctKeys(signers: TenantSigner[]): Buffer[] {
  const byText = new Map(signers.map(({ publicKey }) => [publicKey.toString('hex'), publicKey]));
  return [...byText.values()];
}

async function claimsOf(token: string, publicKey: Buffer): Promise<JWTPayload | undefined> {
  try {
    const { payload } = await jwtVerify(token, ed25519Key(publicKey), {
      algorithms: ['EdDSA'],
      requiredClaims: ['iss', 'sub', 'aud', 'iat', 'exp'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    });
    const texts = [
      payload.iss,
      payload.sub,
      ...[payload.aud].flat(),
      ...('jti' in payload ? [payload.jti] : []),
    ];
    const tooEarly = (payload.iat ?? 0) > Date.now() / 1_000 + CLOCK_TOLERANCE_SECONDS;
    return tooEarly || !texts.every((text) => typeof text === 'string') ? undefined : payload;
  } catch {
    return undefined;
  }
}

/**
 * Whether the request hash in a token, where it has one, is the hash of this request. Clients hash the absolute URL;
 * behind a proxy only its path and query are known for certain, so that these alone are taken, too.
 */
function isForRequest(hsh: unknown, { method, url, rawBody, header }: TokenRequest): boolean {
  if (hsh === undefined) return true;
  const { hash, names } = (typeof hsh === 'string' ? HSH.exec(hsh)?.groups : undefined) ?? {};
  if (hash === undefined) return false;
  const protectedNames = names ? names.split(',') : [];
  const headers = Object.fromEntries(protectedNames.map((name) => [name, header(name)]));
  if (Object.values(headers).includes(undefined)) return false;
  const rest = {
    body: method === 'GET' ? null : rawBody,
    headers: protectedNames.length === 0 ? null : headers,
  };
  const host = header('host') ?? '';
  const urls = [`https://${host}${url}`, `http://${host}${url}`, url];
  return urls.some((spelled) => requestHash({ method, url: spelled, ...rest }) === hash);
}

function requestHash(request: Record<string, unknown>): string {
  return createHash('sha256').update(canonicalJson(request)).digest('hex');
}
