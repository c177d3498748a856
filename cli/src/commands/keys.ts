import { answerOf, type components } from '@redrive/client';
import { allOf, argument, type Command, choice, command, list, value } from '../command/command.ts';
import { LIMIT_FLAG, writeList } from '../command/listing.ts';
import { makeSecret, SECRET_FLAG } from '../command/secrets.ts';
import { usage } from '../core/stop.ts';
import { parseAhead, shownTime } from '../core/times.ts';

type Scope = NonNullable<components['schemas']['NewKey']['scopes']>[number];

const SCOPES = allOf<Scope>({
  'write:keys': true,
  'read:endpoints': true,
  'write:endpoints': true,
  'write:events': true,
  'read:deliveries': true,
  'write:deliveries': true,
  'read:audit': true,
  'approve:retries': true,
  'approve:emergency': true,
  'write:imports': true,
});

const create = command({
  path: ['keys', 'create'],
  summary: 'Make a key; it is shown once',
  examples: [
    'redrive keys create "on call" --grant recovery_operator --actor alice --secret-file on-call.key',
  ],
  args: { name: argument('who or what uses it') },
  flags: {
    scope: list('<scope>', 'what it may do', { choices: SCOPES }),
    grant: choice(['observer', 'operator', 'recovery_operator', 'admin'], 'in the place of scopes'),
    actor: value('<name>', 'the person or service that it stands for'),
    expires: value('<when>', 'from when on it is refused', (text) => parseAhead(text, new Date())),
    ...SECRET_FLAG,
  },
  covers: ['POST /api/v1/keys'],
  async run(context, { args, flags }) {
    const { scope, grant, actor, expires, secretFile } = flags;
    if ((scope === undefined) === (grant === undefined)) throw usage('Say --scope or --grant.');
    const { calls } = await context.api();
    const body = {
      name: args.name,
      ...(scope ? { scopes: scope } : {}),
      ...(grant ? { grant } : {}),
      ...(actor ? { actor } : {}),
      ...(expires ? { expiresAt: expires } : {}),
    };
    await makeSecret(context, { secretFile, member: 'key' }, () =>
      answerOf(calls.POST('/api/v1/keys', { body })),
    );
  },
});

const listing = command({
  path: ['keys', 'list'],
  summary: 'List keys; the keys themselves are not kept',
  flags: LIMIT_FLAG,
  covers: ['GET /api/v1/keys'],
  async run(context, { flags }) {
    const { calls } = await context.api();
    await writeList(
      context,
      flags,
      (page) => answerOf(calls.GET('/api/v1/keys', { params: { query: page } })),
      [
        { head: 'key', cell: ({ id }) => id },
        { head: 'name', cell: ({ name }) => name },
        { head: 'actor', cell: ({ actor }) => actor },
        { head: 'may', cell: ({ grant, scopes }) => grant ?? scopes },
        { head: 'expires', cell: ({ expiresAt }) => shownTime(expiresAt) },
        { head: 'revoked', cell: ({ revokedAt }) => shownTime(revokedAt) },
      ],
    );
  },
});

const revoke = command({
  path: ['keys', 'revoke'],
  summary: 'Revoke a key at once',
  args: { key: argument('its id, key_…: not the key itself') },
  covers: ['DELETE /api/v1/keys/{id}'],
  async run({ api, speaker }, { args }) {
    if (args.key.startsWith('rdk_'))
      throw usage('This is a key, and now stands in the history of your shell: name it by its id, key_….');
    const { calls } = await api();
    await answerOf(calls.DELETE('/api/v1/keys/{id}', { params: { path: { id: args.key } } }));
    speaker.say('Revoked.');
  },
});

/** The commands about keys. */
export const KEYS: readonly Command[] = [listing, create, revoke];
