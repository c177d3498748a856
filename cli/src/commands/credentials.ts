import { answerOf, type components } from '@redrive/client';
import { readObject } from '../command/body.ts';
import { argument, type Command, command } from '../command/command.ts';
import { LIMIT_FLAG, writeList } from '../command/listing.ts';
import { makeSecret, SECRET_FLAG } from '../command/secrets.ts';
import { shownTime } from '../core/times.ts';

type Schemas = components['schemas'];

const byId = (id: string) => ({ params: { path: { id } } });
const file = { file: argument('its members as JSON; - is standard input') };

const issuers = command({
  path: ['issuers', 'list'],
  summary: 'List issuers of tokens',
  flags: LIMIT_FLAG,
  covers: ['GET /api/v1/jwt-issuers'],
  async run(context, { flags }) {
    const { calls } = await context.api();
    await writeList(
      context,
      flags,
      (page) => answerOf(calls.GET('/api/v1/jwt-issuers', { params: { query: page } })),
      [
        { head: 'issuer', cell: ({ id }) => id },
        { head: 'name', cell: ({ name }) => name },
        { head: 'iss', cell: ({ issuer }) => issuer },
        { head: 'aud', cell: ({ audience }) => audience },
        { head: 'algorithm', cell: ({ algorithm }) => algorithm },
        { head: 'may', cell: ({ scopes }) => scopes },
        { head: 'revoked', cell: ({ revokedAt }) => shownTime(revokedAt) },
      ],
    );
  },
});

const createIssuer = command({
  path: ['issuers', 'create'],
  summary: 'Register an issuer of tokens',
  details: ['With HS256 its secret is given in the file, or made and shown once.'],
  args: file,
  flags: SECRET_FLAG,
  covers: ['POST /api/v1/jwt-issuers'],
  async run(context, { args, flags }) {
    const body = (await readObject(context, args.file)) as Schemas['NewJwtIssuer'];
    const makesSecret = body.algorithm === 'HS256' && body.secret === undefined;
    const { calls } = await context.api();
    const make = () => answerOf(calls.POST('/api/v1/jwt-issuers', { body }));
    if (makesSecret) await makeSecret(context, { secretFile: flags.secretFile, member: 'secret' }, make);
    else await context.out.one(await make());
  },
});

const revokeIssuer = command({
  path: ['issuers', 'revoke'],
  summary: 'Revoke an issuer, and all its tokens, at once',
  args: { issuer: argument('its id, iss_…') },
  covers: ['DELETE /api/v1/jwt-issuers/{id}'],
  async run({ api, speaker }, { args }) {
    const { calls } = await api();
    await answerOf(calls.DELETE('/api/v1/jwt-issuers/{id}', byId(args.issuer)));
    speaker.say('Revoked.');
  },
});

const signers = command({
  path: ['signers', 'list'],
  summary: 'List signers',
  flags: LIMIT_FLAG,
  covers: ['GET /api/v1/signers'],
  async run(context, { flags }) {
    const { calls } = await context.api();
    await writeList(
      context,
      flags,
      (page) => answerOf(calls.GET('/api/v1/signers', { params: { query: page } })),
      [
        { head: 'signer', cell: ({ id }) => id },
        { head: 'handle', cell: ({ handle }) => handle },
        { head: 'public', cell: (row) => row.public },
        { head: 'made', cell: ({ createdAt }) => shownTime(createdAt) },
      ],
    );
  },
});

const systemSigner = command({
  path: ['signers', 'system'],
  summary: 'Show the signer of the installation itself',
  covers: ['GET /api/v1/signers/system'],
  async run({ api, out }) {
    const { calls } = await api();
    await out.one(await answerOf(calls.GET('/api/v1/signers/system')));
  },
});

const createSigner = command({
  path: ['signers', 'create'],
  summary: 'Register a signer by its public key and the proof of it',
  args: file,
  covers: ['POST /api/v1/signers'],
  async run(context, { args }) {
    const { calls } = await context.api();
    const body = (await readObject(context, args.file)) as Schemas['NewSigner'];
    await context.out.one(await answerOf(calls.POST('/api/v1/signers', { body })));
  },
});

const removeSigner = command({
  path: ['signers', 'remove'],
  summary: 'Remove a signer',
  args: { signer: argument('its id') },
  covers: ['DELETE /api/v1/signers/{id}'],
  async run({ api, speaker }, { args }) {
    const { calls } = await api();
    await answerOf(calls.DELETE('/api/v1/signers/{id}', byId(args.signer)));
    speaker.say('Removed.');
  },
});

const rules = command({
  path: ['access-rules', 'list'],
  summary: 'List what signers may do',
  flags: LIMIT_FLAG,
  covers: ['GET /api/v1/access-rules'],
  async run(context, { flags }) {
    const { calls } = await context.api();
    await writeList(
      context,
      flags,
      (page) => answerOf(calls.GET('/api/v1/access-rules', { params: { query: page } })),
      [
        { head: 'rule', cell: ({ id }) => id },
        { head: 'action', cell: ({ action }) => action },
        { head: 'record', cell: ({ record }) => record },
        { head: 'signer', cell: ({ signer }) => signer },
      ],
    );
  },
});

const createRule = command({
  path: ['access-rules', 'create'],
  summary: 'Let signers do something',
  args: file,
  covers: ['POST /api/v1/access-rules'],
  async run(context, { args }) {
    const { calls } = await context.api();
    const body = (await readObject(context, args.file)) as Schemas['NewAccessRule'];
    await context.out.one(await answerOf(calls.POST('/api/v1/access-rules', { body })));
  },
});

const removeRule = command({
  path: ['access-rules', 'remove'],
  summary: 'Take a rule away',
  args: { rule: argument('its id') },
  covers: ['DELETE /api/v1/access-rules/{id}'],
  async run({ api, speaker }, { args }) {
    const { calls } = await api();
    await answerOf(calls.DELETE('/api/v1/access-rules/{id}', byId(args.rule)));
    speaker.say('Removed.');
  },
});

const signingKeys = command({
  path: ['signing-keys', 'list'],
  summary: 'Show the public keys of reports, as a key set to keep',
  examples: ['redrive signing-keys list -o json > jwks.json'],
  covers: ['GET /.well-known/redrive/jwks.json'],
  async run({ api, out }) {
    const { calls } = await api();
    const set = await answerOf(calls.GET('/.well-known/redrive/jwks.json'));
    if (out.form === 'json') return out.one(set);
    await out.list(set.keys, [
      { head: 'key', cell: ({ kid }) => kid },
      { head: 'made', cell: ({ createdAt }) => shownTime(createdAt) },
      { head: 'retired', cell: ({ retiredAt }) => shownTime(retiredAt) },
      { head: 'revoked', cell: ({ revokedAt }) => shownTime(revokedAt) },
    ]);
  },
});

const rotate = command({
  path: ['signing-keys', 'rotate'],
  summary: 'Sign reports by a new key from now on; what the old one signed stays valid',
  covers: ['POST /api/v1/signing-keys/rotate'],
  async run({ api, out }) {
    const { calls } = await api();
    await out.one(await answerOf(calls.POST('/api/v1/signing-keys/rotate')));
  },
});

const revokeKey = command({
  path: ['signing-keys', 'revoke'],
  summary: 'Revoke a key whose private part others may know',
  args: { key: argument('its id') },
  covers: ['POST /api/v1/signing-keys/{id}/revoke'],
  async run({ api, out }, { args }) {
    const { calls } = await api();
    await out.one(await answerOf(calls.POST('/api/v1/signing-keys/{id}/revoke', byId(args.key))));
  },
});

/** The commands about issuers of tokens. */
export const ISSUERS: readonly Command[] = [issuers, createIssuer, revokeIssuer];

/** The commands about signers. */
export const SIGNERS: readonly Command[] = [signers, systemSigner, createSigner, removeSigner];

/** The commands about what signers may do. */
export const ACCESS_RULES: readonly Command[] = [rules, createRule, removeRule];

/** The commands about the keys that reports are signed with. */
export const SIGNING_KEYS: readonly Command[] = [signingKeys, rotate, revokeKey];
