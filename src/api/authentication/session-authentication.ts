import {
  type SessionEnd,
  type SessionFacts,
  sessionEnd,
  sessionEndsAt,
} from '../../domain/tenancy/console-session.ts';
import { commonScopes } from '../../domain/tenancy/scope.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { findApiKeyById } from '../../store/tenancy/api-keys.ts';
import {
  findConsoleSession,
  type SessionCredential,
  seeConsoleSession,
} from '../../store/tenancy/console-sessions.ts';
import { findJwtIssuer } from '../../store/tenancy/jwt-issuers.ts';
import type { ApiDeps } from '../api-deps.ts';
import { isProblem, type Problem, problem } from '../problems/problem.ts';
import type { Access } from '../route.ts';
import type { CredentialRequest } from '../surface.ts';
import { callerOfKey } from './authentication.ts';
import type { Authenticated, Caller } from './caller.ts';
import { admitted, authenticateByKey } from './key-authentication.ts';
import { isRead, reads, refusedWrite } from './own-page.ts';
import { cookieForm, readSessionCookie } from './session-cookie.ts';

/**
 * Finds the caller by `Authorization: Bearer`, or where there is none by the session of the console, and the tenant as
 * {@link authenticateByKey} does.
 */
export async function authenticateByKeyOrSession(
  deps: ApiDeps,
  access: Exclude<Access, { of: 'anyone' }>,
  request: CredentialRequest,
): Promise<Authenticated | Problem> {
  const caller =
    request.header('authorization') === undefined ? await callerOfSession(deps, request) : undefined;
  if (caller === undefined) return authenticateByKey(deps, access, request);
  return isProblem(caller) ? caller : admitted(deps.pool, access, caller, request.header('redrive-tenant'));
}

/** A session that goes on, and whom it speaks for. */
export interface LiveSession {
  id: Id<'session'>;
  /** The latest end. */
  endsAt: Date;
  caller: Caller;
}

/** The session with this secret, or why it is over. */
export async function liveSession(
  { pool }: Pick<ApiDeps, 'pool'>,
  secret: string,
): Promise<LiveSession | SessionEnd> {
  const found = await findConsoleSession(pool, secret);
  if (!found) return 'too_old';
  const { session, now } = found;
  const holder = await holderOf(pool, session.credential);
  const facts = { ...session, ...holder };
  return sessionEnd(facts, now) ?? { id: session.id, endsAt: sessionEndsAt(facts), caller: holder.caller };
}

/** The caller of a request by session; undefined where it is none. */
async function callerOfSession(
  deps: Pick<ApiDeps, 'pool' | 'publicOrigin'>,
  request: CredentialRequest,
): Promise<Caller | Problem | undefined> {
  const origin = deps.publicOrigin();
  const form = cookieForm(origin);
  const secret = form && readSessionCookie(form, request.header('cookie'));
  if (!form || origin === undefined || secret === undefined) return undefined;
  if (reads(request.method)) {
    if (!isRead(request)) return undefined;
  } else {
    const refused = refusedWrite(request, origin);
    if (refused) return refused;
  }
  const live = await liveSession(deps, secret);
  if (typeof live === 'string') return sessionOver(live);
  // A stream that goes on is no use: whoever has left a tab open may have gone home.
  if (!request.again) await seeConsoleSession(deps.pool, live.id);
  return live.caller;
}

const ENDS: Record<SessionEnd, string> = {
  signed_out: 'This session was signed out',
  credential_revoked: 'The credential that this session was opened with was revoked',
  credential_expired: 'The credential that this session was opened with has expired',
  too_old: 'A session lasts 24 hours, and this one is over',
  idle: 'This session was not used for 12 hours',
};

/**
 * Refuses a session that is over. The cookie stays where it is: by now another tab may have a new one, which this answer
 * would take away.
 */
export function sessionOver(end: SessionEnd): Problem {
  return problem('session_ended', {
    detail: `${ENDS[end]}: sign in again at /console.`,
    headers: { 'www-authenticate': 'Bearer realm="redrive"' },
  });
}

interface Holder extends Pick<SessionFacts, 'credentialRevoked' | 'credentialExpiresAt'> {
  caller: Caller;
}

/** Whom a session speaks for, as its key or issuer is now: what was taken from these is taken from the session. */
async function holderOf(pool: ApiDeps['pool'], credential: SessionCredential): Promise<Holder> {
  if ('keyId' in credential) {
    const key = await findApiKeyById(pool, credential.keyId);
    if (!key) throw new Error('the key of a session is not there');
    return {
      caller: callerOfKey(key),
      credentialRevoked: key.revoked,
      ...(key.expiresAt ? { credentialExpiresAt: key.expiresAt } : {}),
    };
  }
  const { issuerId, actor, scopes, expiresAt } = credential;
  const issuer = await findJwtIssuer(pool, issuerId);
  if (!issuer) throw new Error('the issuer of a session is not there');
  return {
    caller: {
      actor,
      token: { issuerId, expiresAt },
      scopes: commonScopes(issuer.scopes, scopes),
      ...(issuer.tenant ? { tenant: issuer.tenant } : {}),
    },
    credentialRevoked: issuer.revokedAt !== undefined,
    credentialExpiresAt: expiresAt,
  };
}
