import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { callerOf, callerOfKey } from '../../../api/authentication/authentication.ts';
import type { Caller } from '../../../api/authentication/caller.ts';
import { refusedWrite } from '../../../api/authentication/own-page.ts';
import {
  type LiveSession,
  liveSession,
  sessionOver,
} from '../../../api/authentication/session-authentication.ts';
import {
  type CookieForm,
  cookieForm,
  readSessionCookie,
  writeSessionCookie,
} from '../../../api/authentication/session-cookie.ts';
import { isProblem, type Problem, problem } from '../../../api/problems/problem.ts';
import { type Call, type Route, route } from '../../../api/route.ts';
import { SESSION_IDLE_MS } from '../../../domain/tenancy/console-session.ts';
import { GRANTS } from '../../../domain/tenancy/grant.ts';
import { SCOPES } from '../../../domain/tenancy/scope.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { noteAct } from '../../../store/audit/entries.ts';
import { withTransaction } from '../../../store/db/pool.ts';
import type { Transaction } from '../../../store/db/queryable.ts';
import { findApiKeyById } from '../../../store/tenancy/api-keys.ts';
import {
  endConsoleSession,
  openConsoleSession,
  type SessionCredential,
} from '../../../store/tenancy/console-sessions.ts';
import { takeSignInCode } from '../../../store/tenancy/sign-in-codes.ts';
import { PLATFORM_TENANT } from '../../../store/tenancy/tenants.ts';
import { logAct } from '../../../telemetry/act-log.ts';
import { shownId, shownTime } from '../fields.ts';

const Credentials = z
  .strictObject({
    credential: z
      .string()
      .regex(/^[\x21-\x7e]{1,8192}$/)
      .optional()
      .meta({ description: 'An API key, or a token of a registered issuer.', example: 'rdk_…' }),
    code: z
      .string()
      .regex(/^[\w-]{1,100}$/)
      .optional()
      .meta({ description: 'The code of a link that signs in once.', example: 'q6urq6…' }),
  })
  .refine(({ credential, code }) => (credential === undefined) !== (code === undefined), {
    path: ['credential'],
    message: 'Expected either a credential or a code.',
    params: { code: 'exactly_one' },
  })
  .meta({ id: 'SignIn' });

const SessionView = z
  .strictObject({
    id: shownId('session', 'Id of the session; not the cookie.'),
    actor: z
      .string()
      .meta({ description: 'Who is signed in, as the audit names them.', example: 'key_01k9z3…' }),
    tenant: z
      .strictObject({
        id: shownId('tenant', 'Its id.'),
        handle: z.string().meta({ description: 'Its handle.', example: 'acme' }),
      })
      .nullable()
      .meta({
        description:
          'The tenant that the credential belongs to; null for one of the installation, whose calls name a tenant in `Redrive-Tenant`.',
      }),
    scopes: z.array(z.enum(SCOPES)).meta({
      description: 'What the credential may do now; each call asks again.',
      example: ['read:deliveries'],
    }),
    grant: z
      .enum(GRANTS)
      .nullable()
      .meta({ description: 'The grant that a key was made with.', example: 'observer' }),
    endsAt: shownTime('When it is over at the latest.'),
    idleMs: z.int().meta({
      description: 'It is over earlier where it is not used for as long.',
      example: SESSION_IDLE_MS,
    }),
  })
  .meta({ id: 'Session', description: 'A session of the console.' });

const FROM_CONSOLE = {
  'Redrive-Console': { description: '`1`: no foreign page can send it.', example: '1', required: true },
  Origin: {
    description: 'The origin of the console (REDRIVE_PUBLIC_URL), as browsers send it.',
    example: 'https://redrive.example.com',
    required: true,
  },
};

/** Sessions of the console: a credential is shown once, and the browser keeps a cookie that stands for it. */
export function sessionRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'post',
      path: '/console/session',
      summary: 'Sign in to the console',
      description:
        'Exchanges a credential, or the code of a link, for a cookie that only the console can use. The session is over after 12 hours without use, after 24 hours, or when the key, the token or its issuer expires or is revoked.',
      tag: 'Console',
      access: { of: 'anyone' },
      request: { body: Credentials },
      bodyLimits: { bytes: 32 * 1024, members: 10 },
      headers: {
        ...FROM_CONSOLE,
        'Redrive-Tenant': {
          description: 'Handle or id of the tenant, with a token of an issuer that a tenant registered.',
          example: 'acme',
        },
      },
      responses: {
        201: {
          description: 'The session; its secret is in the cookie.',
          schema: SessionView,
          headers: { 'Set-Cookie': 'The cookie: `HttpOnly`, `SameSite=Strict`.' },
        },
      },
      problems: [
        'tls_required',
        'cross_origin_refused',
        'credential_invalid',
        'credential_expired',
        'credential_revoked',
        'sign_in_code_refused',
        'not_found',
        'rate_limited',
        'temporarily_unavailable',
      ],
      handler: (call) => signIn(deps, call),
    }),
    route({
      method: 'delete',
      path: '/console/session',
      summary: 'Sign out of the console',
      tag: 'Console',
      access: { of: 'anyone' },
      headers: FROM_CONSOLE,
      responses: {
        204: {
          description: 'The session is over, and the cookie is taken away.',
          headers: { 'Set-Cookie': 'An empty cookie that has expired.' },
        },
      },
      problems: ['tls_required', 'cross_origin_refused', 'rate_limited', 'temporarily_unavailable'],
      async handler({ header, requestId }) {
        const place = placeOf(deps, { header, method: 'DELETE' });
        if (isProblem(place)) return place;
        await signOut(deps, place.form, header('cookie'), requestId);
        return { status: 204, headers: { 'set-cookie': writeSessionCookie(place.form) } };
      },
    }),
  ];
}

type SignIn = Pick<Call<{ body: typeof Credentials }>, 'body' | 'header' | 'requestId'>;

async function signIn(deps: ApiDeps, { body, header, requestId }: SignIn) {
  const place = placeOf(deps, { header, method: 'POST' });
  if (isProblem(place)) return place;
  const shown =
    body.credential === undefined
      ? undefined
      : await callerOf(deps, body.credential, { named: header('redrive-tenant') });
  if (shown && isProblem(shown)) return shown;
  const opened = await withTransaction(deps.pool, async (tx) => {
    const caller = shown ?? (await callerByCode(tx, body.code ?? ''));
    if (isProblem(caller)) return caller;
    const { id, secret } = await openConsoleSession(tx, credentialOf(caller));
    await noteAct(tx, {
      tenantId: (caller.tenant ?? PLATFORM_TENANT).id,
      by: { ...caller, requestId },
      action: 'session.opened',
      target: id,
      detail: { with: shown === undefined ? 'link' : caller.token ? 'token' : 'key' },
    });
    return { secret };
  });
  if (isProblem(opened)) return opened;
  const live = await liveSession(deps, opened.secret);
  if (typeof live === 'string') return sessionOver(live);
  logSession(deps, 'session.opened', live, requestId);
  // Each sign-in is a new session, and the one that the browser had leads nowhere any more.
  await signOut(deps, place.form, header('cookie'), requestId);
  return {
    status: 201,
    body: view(live),
    headers: { 'set-cookie': writeSessionCookie(place.form, opened.secret) },
  };
}

function view({ id, endsAt, caller }: LiveSession): z.input<typeof SessionView> {
  const { actor, tenant, scopes, grant } = caller;
  return {
    id: showId('session', id),
    actor,
    tenant: tenant ? { id: showId('tenant', tenant.id), handle: tenant.handle } : null,
    scopes: [...scopes],
    grant: grant ?? null,
    endsAt: endsAt.toISOString(),
    idleMs: SESSION_IDLE_MS,
  };
}

/** The form of the cookie, for a request by the console itself at an address where one can sign in. */
function placeOf(
  deps: Pick<ApiDeps, 'publicOrigin'>,
  request: Parameters<typeof refusedWrite>[0],
): { form: CookieForm } | Problem {
  const origin = deps.publicOrigin();
  const form = cookieForm(origin);
  if (!form || origin === undefined) return problem('tls_required');
  return refusedWrite(request, origin) ?? { form };
}

/** The caller that a code stands for; used up even where its key has ended since. */
async function callerByCode(tx: Transaction, code: string): Promise<Caller | Problem> {
  const keyId = await takeSignInCode(tx, code);
  const key = keyId && (await findApiKeyById(tx, keyId));
  return key && !key.revoked && !key.expired ? callerOfKey(key) : problem('sign_in_code_refused');
}

function credentialOf({ actor, keyId, token, scopes }: Caller): SessionCredential {
  if (keyId) return { keyId };
  if (token) return { ...token, actor, scopes };
  throw new Error('a caller has neither a key nor a token');
}

/** Ends the session that a browser is in, if it is in one. */
async function signOut(
  deps: ApiDeps,
  form: CookieForm,
  cookie: string | undefined,
  requestId: string,
): Promise<void> {
  const secret = readSessionCookie(form, cookie);
  const live = secret === undefined ? undefined : await liveSession(deps, secret);
  if (live === undefined || typeof live === 'string') return;
  const ended = await withTransaction(deps.pool, async (tx) => {
    if (!(await endConsoleSession(tx, live.id))) return false;
    const tenantId = (live.caller.tenant ?? PLATFORM_TENANT).id;
    await noteAct(tx, {
      tenantId,
      by: { ...live.caller, requestId },
      action: 'session.ended',
      target: live.id,
    });
    return true;
  });
  if (ended) logSession(deps, 'session.ended', live, requestId);
}

function logSession(
  { log }: Pick<ApiDeps, 'log'>,
  event: 'session.opened' | 'session.ended',
  { id, caller }: LiveSession,
  requestId: string,
): void {
  const tenant = caller.tenant ? { tenantId: showId('tenant', caller.tenant.id) } : {};
  logAct(log, event, { ...caller, requestId }, { ...tenant, sessionId: showId('session', id) });
}
