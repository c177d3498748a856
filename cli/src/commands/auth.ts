import { answerOf } from '@redrive/client';
import { argument, type Command, command, onOff, optional, value } from '../command/command.ts';
import {
  type Config,
  type Connection,
  LOCAL_URL,
  originOf,
  profileOf,
  refusePlainHttp,
} from '../core/connection.ts';
import { Stop, usage } from '../core/stop.ts';
import type { Context } from '../shell/context.ts';
import { readAll } from '../shell/prompt.ts';
import { serverVersion } from '../shell/server-version.ts';
import { VERSION } from '../version.ts';

const login = command({
  path: ['auth', 'login'],
  summary: 'Check a key and keep it in a profile',
  details: [
    'The key is asked for and not shown; a script pipes it in with --key-stdin. It is kept readable for you alone, and goes to the address of its profile only.',
  ],
  examples: [
    'redrive auth login --url https://redrive.example',
    'redrive auth login --profile staging --url https://staging.example --key-stdin < key',
  ],
  flags: {
    url: value('<address>', `where Redrive is; ${LOCAL_URL} where left out`),
    keyStdin: onOff('read the key from standard input'),
  },
  covers: ['GET /api/v1/me'],
  async run(context, { flags }) {
    const { env, globals, profiles, speaker } = context;
    const origin = originOf(flags.url ?? (env.REDRIVE_URL || LOCAL_URL));
    const insecureHttp = globals.insecureHttp === true;
    refusePlainHttp(origin, insecureHttp);
    const key = await readKey(context, flags.keyStdin === true, origin);
    const tenant = globals.tenant ?? (env.REDRIVE_TENANT || undefined);
    const name = globals.profile ?? (env.REDRIVE_PROFILE || 'default');
    const me = await whoIs(context, { origin, key, tenant, profile: undefined });
    const config = await profiles.read();
    await profiles.write({
      current: name,
      profiles: {
        ...config.profiles,
        [name]: {
          url: origin,
          key,
          ...(tenant ? { tenant } : {}),
          ...(insecureHttp ? { insecureHttp } : {}),
        },
      },
    });
    speaker.say(`${me.actor} at ${origin}, kept as the profile ${name} in ${profiles.file}.`);
  },
});

/** The key, never from a flag: those stand in the history of shells and in lists of processes. */
async function readKey(
  { stdin, canAsk, askSecret }: Context,
  piped: boolean,
  origin: string,
): Promise<string> {
  if (!piped && !canAsk)
    throw new Stop(
      'notConfirmed',
      'Nobody can be asked for a key: there is no terminal.',
      'pipe it in with --key-stdin',
    );
  if (piped && stdin.isTTY)
    throw usage(
      'Standard input is a terminal, which would show the key.',
      'leave --key-stdin out: it is asked for',
    );
  const key = (piped ? await readAll(stdin, 16_384) : await askSecret(`Key for ${origin}: `)).trim();
  if (key === '') throw usage('No key was given.');
  if (!/^[\x21-\x7e]+$/.test(key))
    throw usage('This is no key: it holds blanks or characters that keys do not have.');
  return key;
}

async function whoIs({ speaker }: Context, connection: Connection) {
  const { apiOf } = await import('../shell/api.ts');
  const { calls } = apiOf(connection, (line) => speaker.say(line));
  return answerOf(calls.GET('/api/v1/me'));
}

const status = command({
  path: ['auth', 'status'],
  summary: 'Show which profile is used, who one is there and what one may do',
  covers: ['GET /api/v1/me', 'GET /healthz'],
  async run(context) {
    const { env, globals, profiles, out, speaker } = context;
    const config = await profiles.read();
    for (const [name, { url }] of Object.entries(config.profiles))
      speaker.say(`${name === config.current ? '*' : ' '} ${name}  ${url}`);
    const { profile } = profileOf({ env, flags: globals, config });
    const { connection, calls } = await context.api();
    const me = await answerOf(calls.GET('/api/v1/me'));
    const version = await serverVersion(context);
    if (out.form !== 'table')
      return out.one({ ...me, url: connection.origin, profile: connection.profile ?? null });
    await out.one(me, [
      ['url', connection.origin],
      ['profile', connection.profile ?? 'none: REDRIVE_KEY'],
      ['actor', me.actor],
      ['key', me.keyId],
      ['tenant', me.tenant?.handle ?? connection.tenant],
      ['grant', me.grant],
      ['scopes', me.scopes],
      ['policy', me.policy ? `in force, ${me.policy.digest.slice(0, 12)}` : undefined],
      ['plain http', profile?.insecureHttp ? 'allowed' : undefined],
      ['server', version === VERSION ? version : `${version ?? 'unknown'}; this command line is ${VERSION}`],
    ]);
  },
});

const logout = command({
  path: ['auth', 'logout'],
  summary: 'Forget a profile and its key',
  details: ['The key goes on to work elsewhere: `redrive keys revoke` ends it.'],
  args: { profile: optional('the profile; the current one where left out') },
  async run(context, { args }) {
    const { profiles, speaker } = context;
    const config = await profiles.read();
    const name = nameOf(context, config, args.profile);
    const { [name]: _, ...others } = config.profiles;
    const current = config.current === name ? Object.keys(others)[0] : config.current;
    await profiles.write({ ...(current === undefined ? {} : { current }), profiles: others });
    speaker.say(`Forgot ${name}.${current === undefined ? '' : ` The current profile is ${current}.`}`);
  },
});

const use = command({
  path: ['auth', 'use'],
  summary: 'Make a profile the current one',
  args: { profile: argument('the profile') },
  async run(context, { args }) {
    const { profiles, speaker } = context;
    const config = await profiles.read();
    const current = nameOf(context, config, args.profile);
    await profiles.write({ ...config, current });
    speaker.say(`The current profile is ${current}.`);
  },
});

function nameOf({ env, globals }: Context, config: Config, named: string | undefined): string {
  const name = named ?? globals.profile ?? (env.REDRIVE_PROFILE || config.current);
  if (name === undefined || !Object.hasOwn(config.profiles, name))
    throw new Stop(
      'credentials',
      name === undefined ? 'There is no profile.' : `There is no profile ${name}.`,
      'redrive auth login',
    );
  return name;
}

/** The commands that sign in and out. */
export const AUTH: readonly Command[] = [login, status, use, logout];
