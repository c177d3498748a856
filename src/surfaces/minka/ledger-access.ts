import type { ApiDeps } from '../../api/api-deps.ts';
import type { TenantRef } from '../../api/authentication/caller.ts';
import type { RateLimiter } from '../../api/limits/rate-limit.ts';
import { type Id, readId, showId } from '../../domain/tenancy/typed-id.ts';
import { findTenant } from '../../store/tenancy/tenants.ts';
import { type AccessAction, isGranted, type NamedSigner } from './access-rule.ts';
import { type TokenRequest, type VerifiedToken, verifyToken } from './bearer-token.ts';
import type { Proof } from './envelope.ts';
import { isLedgerError, type LedgerError, ledgerErrors } from './ledger-error.ts';
import { listAccessRules, MAX_ACCESS_RULES } from './store/access-rules.ts';
import { signersByKey, type TenantSigner } from './store/signers.ts';
import { systemSigner } from './system-signer.ts';

/** Which ledger a request is about, and who signed it and its token. */
export interface Access {
  tenant: TenantRef;
  signers: TenantSigner[];
  bearer?: TenantSigner;
}

/** The facts of a request that are known before its signers: the ledger it names, and its token. */
export interface Presented {
  /** Of the header `x-ledger`; `unknown` where it names none of ours. */
  ledger?: { id: Id<'tenant'> } | 'unknown';
  token?: VerifiedToken;
}

/** Reads the ledger and verifies the token, where the request has one: once sent, it must be valid. */
export async function readPresented(
  { pool }: Pick<ApiDeps, 'pool'>,
  request: TokenRequest,
): Promise<Presented | LedgerError> {
  const named = request.header('x-ledger');
  const ledger: Presented['ledger'] = named ? ((await ledgerNamed(pool, named)) ?? 'unknown') : undefined;
  const presented: Presented = ledger === undefined ? {} : { ledger };
  if (request.header('authorization') === undefined) return presented;
  if (ledger === 'unknown') return ledgerErrors.unauthorized;
  const token = await verifyToken(pool, request, ledger?.id);
  return token ? { ...presented, token } : ledgerErrors.unauthorized;
}

/** How many requests a tenant may make, counted where it is known. */
export type Quota = RateLimiter;

/**
 * Authorizes a request: who it is from, then whether it comes too often, then whether a rule of the ledger grants it.
 */
export async function authorize(
  deps: Pick<ApiDeps, 'pool' | 'sealer'>,
  quota: Quota,
  presented: Presented,
  proofs: readonly Proof[],
  action: AccessAction,
): Promise<Access | LedgerError> {
  const access = await findAccess(deps, presented, proofs);
  if (isLedgerError(access)) return access;
  const { refusal } = await quota(access.tenant.id);
  if (refusal)
    return { ...ledgerErrors.rateLimited, ...(refusal.headers ? { headers: refusal.headers } : {}) };
  return (await isAllowed(deps, access, action)) ? access : ledgerErrors.forbidden;
}

/**
 * The ledger and its signers behind verified proofs and a verified token. A signer that is not registered with the
 * ledger, and a ledger that does not exist, look alike. Without `x-ledger` the ledger is the only one that knows all of
 * them.
 */
async function findAccess(
  { pool, sealer }: Pick<ApiDeps, 'pool' | 'sealer'>,
  { ledger, token }: Presented,
  proofs: readonly Proof[],
): Promise<Access | LedgerError> {
  if (ledger === 'unknown') return ledgerErrors.notFound('Signer');
  const keys = proofs.map((proof) => Buffer.from(proof.public, 'base64'));
  const known = keys.length === 0 ? [] : await signersByKey(pool, keys, ledger?.id);
  const claimants = [
    ...proofs.map(({ public: key, signer }) =>
      known.filter(
        ({ publicKey, handle }) =>
          publicKey.toString('base64') === key && (signer === undefined || signer === handle),
      ),
    ),
    ...(token ? [token.signers] : []),
  ];
  const tenants = tenantsOf(claimants);
  const [tenant] = tenants;
  if (!tenant) return ledgerErrors.notFound('Signer');
  if (tenants.length > 1) return ledgerErrors.ledgerNotSet;
  if (token && !isMeantFor(token, tenant, systemSigner(sealer).public)) return ledgerErrors.unauthorized;
  const ofTenant = (signers: TenantSigner[]) => signers.filter((signer) => signer.tenant.id === tenant.id);
  const [bearer] = ofTenant(token?.signers ?? []);
  const signers = ofTenant(claimants.slice(0, proofs.length).flat());
  return { tenant, signers, ...(bearer ? { bearer } : {}) };
}

/**
 * The tenants that know every claimant. Where several do, those count, if any, for which all keys were proved: a key
 * that somebody else registered before proofs were asked for does not make the owner's calls ambiguous.
 */
function tenantsOf(claimants: readonly TenantSigner[][]): TenantRef[] {
  const [one = [], ...others] = claimants;
  const known = one
    .map(({ tenant }) => tenant)
    .filter(({ id }) => others.every((signers) => signers.some(({ tenant }) => tenant.id === id)));
  if (known.length <= 1) return known;
  const proved = known.filter(({ id }) =>
    claimants.every((signers) => signers.some(({ tenant, provedBy }) => tenant.id === id && provedBy)),
  );
  return proved.length > 0 ? proved : known;
}

/** Whether a rule grants the action. A list or a read has no body to sign: the signer of its token counts. */
async function isAllowed(
  { pool }: Pick<ApiDeps, 'pool'>,
  { tenant, signers, bearer }: Access,
  action: AccessAction,
): Promise<boolean> {
  const rules = await listAccessRules(pool, tenant.id, { limit: MAX_ACCESS_RULES });
  const signed = action !== 'retry-event' && bearer ? [bearer] : signers;
  return isGranted(
    rules.map(({ rule }) => rule),
    {
      action,
      record: 'bridge',
      signers: signed.map(named),
      ...(bearer ? { bearer: named(bearer) } : {}),
    },
  );
}

async function ledgerNamed(pool: ApiDeps['pool'], name: string): Promise<{ id: Id<'tenant'> } | undefined> {
  const id = readId('tenant', name);
  // A NUL cannot be compared in Postgres; no handle has one.
  return name.includes('\0') ? undefined : findTenant(pool, id === undefined ? { handle: name } : { id });
}

/** A token is meant for a ledger, by its handle or id, or for this installation, by its public key. */
function isMeantFor({ audience }: VerifiedToken, { id, handle }: TenantRef, serverKey: string): boolean {
  return [id, handle, showId('tenant', id), serverKey].some((name) => audience.includes(name));
}

function named({ handle, publicKey }: TenantSigner): NamedSigner {
  return { handle, public: publicKey.toString('base64') };
}
