import { Stop, usage } from './stop.ts';

/** What is kept of one server and caller. */
export interface Profile {
  /** The origin to which its key goes, and no other. */
  url: string;
  key: string;
  tenant?: string;
  /** Plain http off this machine was allowed when it was made. */
  insecureHttp?: boolean;
}

/** The file of profiles. */
export interface Config {
  current?: string;
  profiles: Record<string, Profile>;
}

/** Where calls go, and as whom. */
export interface Connection {
  origin: string;
  key: string;
  tenant: string | undefined;
  /** The profile that the key is from; undefined where it is from the environment. */
  profile: string | undefined;
}

/** What a connection is made of. */
export interface ConnectionInput {
  env: Readonly<Record<string, string | undefined>>;
  flags: { profile?: string | undefined; tenant?: string | undefined; insecureHttp?: boolean | undefined };
  config: Config;
}

/** Where Redrive listens on one's own machine. */
export const LOCAL_URL = 'http://127.0.0.1:4400';

/**
 * Says where calls go and by which key. The environment wins over the profile, and the key of a profile goes to no other
 * origin than its own: with another REDRIVE_URL a key has to be given for it.
 */
export function connectionOf({ env, flags, config }: ConnectionInput): Connection {
  const { name, profile } = profileOf({ env, flags, config });
  const origin = originOf(env.REDRIVE_URL || profile?.url || LOCAL_URL);
  const own = profile !== undefined && originOf(profile.url) === origin;
  const key = env.REDRIVE_KEY || (own ? profile.key : undefined);
  if (key === undefined) {
    if (profile !== undefined)
      throw new Stop(
        'credentials',
        `The key of the profile ${name} goes to ${profile.url} only, and REDRIVE_URL is ${origin}.`,
        'set REDRIVE_KEY to a key of that server, or unset REDRIVE_URL',
      );
    throw new Stop(
      'credentials',
      'There is no key.',
      `redrive auth login --url ${origin}, or set REDRIVE_KEY`,
    );
  }
  refusePlainHttp(origin, flags.insecureHttp === true || (own && profile.insecureHttp === true));
  return {
    origin,
    key,
    tenant: flags.tenant || env.REDRIVE_TENANT || (own ? profile.tenant : undefined),
    profile: env.REDRIVE_KEY ? undefined : name,
  };
}

/** The profile that is meant, and its name; none where none was made yet. */
export function profileOf({ env, flags, config }: ConnectionInput): {
  name: string | undefined;
  profile: Profile | undefined;
} {
  const named = flags.profile || env.REDRIVE_PROFILE;
  const name = named || config.current;
  const profile = name === undefined ? undefined : own(config.profiles, name);
  if (named && !profile)
    throw new Stop(
      'credentials',
      `There is no profile ${named}.`,
      `redrive auth login --profile ${named} --url …`,
    );
  return { name, profile };
}

function own<Value>(of: Record<string, Value>, name: string): Value | undefined {
  return Object.hasOwn(of, name) ? of[name] : undefined;
}

/** The origin of an address: it has no path, and nothing secret in it. */
export function originOf(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw usage(`Expected the address of a server, such as https://redrive.example, not "${text}".`);
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw usage(`Expected an http or https address, not "${url.protocol}".`);
  if (url.username !== '' || url.password !== '')
    throw usage('An address holds no user and no password: keys are given by `redrive auth login`.');
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    throw usage(`Expected an address without a path, such as ${url.origin}.`);
  return url.origin;
}

/** A key does not travel readable for everybody, unless that was said. */
export function refusePlainHttp(origin: string, allowed: boolean): void {
  const { protocol, hostname } = new URL(origin);
  if (protocol === 'https:' || allowed || isLoopback(hostname)) return;
  throw usage(
    `${origin} is plain http: everybody on the way could read the key.`,
    'use https, or say --insecure-http',
  );
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}
