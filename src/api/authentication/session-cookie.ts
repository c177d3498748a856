import { isLoopback } from '../../config/loopback.ts';
import { SESSION_LIFE_MS } from '../../domain/tenancy/console-session.ts';

/** The cookie of a session, at the address by which browsers know the service. */
export interface CookieForm {
  name: string;
  secure: boolean;
}

/**
 * The form of the cookie at an origin; undefined where nobody can sign in, as the cookie would cross a network in plain
 * text. On loopback the name holds the port: browsers keep the cookies of all ports of a host together.
 */
export function cookieForm(origin: string | undefined): CookieForm | undefined {
  if (origin === undefined) return undefined;
  const { protocol, hostname, port } = new URL(origin);
  if (protocol === 'https:') return { name: '__Host-redrive', secure: true };
  return isLoopback(hostname) ? { name: `redrive-${port || '80'}`, secure: false } : undefined;
}

/** The secret of a session in the header `Cookie`; undefined where there is none that could be one. */
export function readSessionCookie({ name }: CookieForm, header: string | undefined): string | undefined {
  for (const pair of (header ?? '').split(';')) {
    const [given, secret = ''] = pair.trim().split('=');
    if (given === name && /^[\w-]{43}$/.test(secret)) return secret;
  }
  return undefined;
}

/** The header `Set-Cookie` that gives a browser its session; without a secret, the one that takes it away. */
export function writeSessionCookie({ name, secure }: CookieForm, secret?: string): string {
  const seconds = secret === undefined ? 0 : SESSION_LIFE_MS / 1_000;
  return `${name}=${secret ?? ''}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`;
}
