import { answerOf, type components } from '@redrive/client';
import { readInput, readObject } from '../command/body.ts';
import { argument, type Command, command, list, onOff, value } from '../command/command.ts';
import { confirmed } from '../command/confirm.ts';
import { LIMIT_FLAG, writeList } from '../command/listing.ts';
import { makeSecret, SECRET_FLAG } from '../command/secrets.ts';
import { parseDuration } from '../core/durations.ts';
import { parseCount, parseRate } from '../core/pace.ts';
import { usage } from '../core/stop.ts';
import { shownTime } from '../core/times.ts';
import type { Context } from '../shell/context.ts';

type NewEndpoint = components['schemas']['NewEndpoint'];
type EndpointChange = components['schemas']['EndpointChange'];

const endpoint = { endpoint: argument('the endpoint, by id or handle') };
const path = (id: string) => ({ params: { path: { id } } });

const listing = command({
  path: ['endpoints', 'list'],
  summary: 'List endpoints',
  flags: LIMIT_FLAG,
  covers: ['GET /api/v1/endpoints'],
  async run(context, { flags }) {
    const { calls } = await context.api();
    await writeList(
      context,
      flags,
      (page) => answerOf(calls.GET('/api/v1/endpoints', { params: { query: page } })),
      [
        { head: 'endpoint', cell: ({ id }) => id },
        { head: 'handle', cell: ({ handle }) => handle },
        { head: 'state', cell: ({ state }) => state },
        { head: 'circuit', cell: ({ circuit }) => circuit },
        { head: 'types', cell: ({ eventTypes }) => eventTypes ?? 'all' },
        { head: 'url', cell: ({ url }) => url },
      ],
    );
  },
});

const get = command({
  path: ['endpoints', 'get'],
  summary: 'Show an endpoint: what it is, what waits for it, how it does',
  args: endpoint,
  covers: ['GET /api/v1/endpoints/{id}'],
  async run({ api, out }, { args }) {
    const { calls } = await api();
    await out.one(await answerOf(calls.GET('/api/v1/endpoints/{id}', path(args.endpoint))));
  },
});

const versions = command({
  path: ['endpoints', 'versions'],
  summary: 'List the versions of an endpoint, each with what it changed',
  args: endpoint,
  flags: LIMIT_FLAG,
  covers: ['GET /api/v1/endpoints/{id}/versions'],
  async run(context, { args, flags }) {
    const { calls } = await context.api();
    await writeList(
      context,
      flags,
      (page) =>
        answerOf(
          calls.GET('/api/v1/endpoints/{id}/versions', {
            params: { path: { id: args.endpoint }, query: page },
          }),
        ),
      [
        { head: 'version', cell: ({ version }) => version, right: true },
        { head: 'current', cell: ({ current }) => (current ? 'yes' : '') },
        { head: 'made', cell: ({ createdAt }) => shownTime(createdAt) },
        { head: 'changed', cell: ({ changed }) => changed.map(({ member }) => member) },
      ],
    );
  },
});

/** The members that are changed most; a file has all of them. */
const MEMBER_FLAGS = {
  file: value(
    '<file>',
    'its members as JSON; - is standard input. Headers and secrets are given here only, and what is to go as null',
  ),
  url: value('<url>', 'where deliveries are posted to'),
  type: list('<type>', 'types of event that it wants: invoice.paid, invoice.*, *', { commas: false }),
  rate: value('<n>', 'requests a second at most', parseRate),
  concurrency: value('<n>', 'requests at a time at most', parseCount),
  timeout: value('<duration>', 'time limit of an attempt', parseDuration),
  caFile: value('<file>', 'certificates in PEM that its own must be from, in the place of the public ones'),
  certificateFile: value('<file>', 'a certificate in PEM that it is shown; with --certificate-key-file'),
  certificateKeyFile: value('<file>', 'the private key of that, in PEM without a passphrase'),
};

interface Members {
  file: string | undefined;
  url: string | undefined;
  type: string[] | undefined;
  rate: number | undefined;
  concurrency: number | undefined;
  timeout: number | undefined;
  caFile: string | undefined;
  certificateFile: string | undefined;
  certificateKeyFile: string | undefined;
}

async function membersOf(context: Context, flags: Members): Promise<Record<string, unknown>> {
  const { certificateFile: certificate, certificateKeyFile: key } = flags;
  if ((certificate === undefined) !== (key === undefined))
    throw usage('A certificate and its key belong together: --certificate-file and --certificate-key-file.');
  const clientCertificate =
    certificate === undefined || key === undefined
      ? undefined
      : { certificate: await readInput(context, certificate), key: await readInput(context, key) };
  return {
    ...(flags.file ? await readObject(context, flags.file) : {}),
    ...(flags.url ? { url: flags.url } : {}),
    ...(flags.type ? { eventTypes: flags.type } : {}),
    ...(flags.rate ? { ratePerSecond: flags.rate } : {}),
    ...(flags.concurrency ? { maxConcurrency: flags.concurrency } : {}),
    ...(flags.timeout ? { timeoutMs: flags.timeout } : {}),
    ...(flags.caFile === undefined ? {} : { caCertificate: await readInput(context, flags.caFile) }),
    ...(clientCertificate ? { clientCertificate } : {}),
  };
}

const create = command({
  path: ['endpoints', 'create'],
  summary: 'Make an endpoint; its signing secret is shown once',
  examples: ['redrive endpoints create --file endpoint.json --secret-file warehouse.secret'],
  flags: { handle: value('<handle>', 'its name'), ...MEMBER_FLAGS, ...SECRET_FLAG },
  covers: ['POST /api/v1/endpoints'],
  async run(context, { flags }) {
    const { calls } = await context.api();
    const body = { ...(flags.handle ? { handle: flags.handle } : {}), ...(await membersOf(context, flags)) };
    if (!('url' in body)) throw usage('Say --url, or give a --file that has it.');
    await makeSecret(context, { secretFile: flags.secretFile, member: 'secret' }, () =>
      answerOf(calls.POST('/api/v1/endpoints', { body: body as NewEndpoint })),
    );
  },
});

const update = command({
  path: ['endpoints', 'update'],
  summary: 'Change an endpoint; what is left out stays',
  args: endpoint,
  flags: MEMBER_FLAGS,
  covers: ['PATCH /api/v1/endpoints/{id}'],
  async run(context, { args, flags }) {
    const { calls } = await context.api();
    const body = (await membersOf(context, flags)) as EndpointChange;
    if (Object.keys(body).length === 0) throw usage('Nothing is to be changed.');
    await context.out.one(
      await answerOf(calls.PATCH('/api/v1/endpoints/{id}', { ...path(args.endpoint), body })),
    );
  },
});

const enable = command({
  path: ['endpoints', 'enable'],
  summary: 'Let it take deliveries again',
  args: endpoint,
  covers: ['POST /api/v1/endpoints/{id}/enable'],
  async run({ api, out }, { args }) {
    const { calls } = await api();
    await out.one(await answerOf(calls.POST('/api/v1/endpoints/{id}/enable', path(args.endpoint))));
  },
});

const disable = command({
  path: ['endpoints', 'disable'],
  summary: 'Send it nothing any more; what comes meanwhile is kept as an outage',
  args: endpoint,
  covers: ['POST /api/v1/endpoints/{id}/disable'],
  async run({ api, out }, { args }) {
    const { calls } = await api();
    await out.one(await answerOf(calls.POST('/api/v1/endpoints/{id}/disable', path(args.endpoint))));
  },
});

const remove = command({
  path: ['endpoints', 'delete'],
  summary: 'Delete an endpoint; its deliveries and reports stay',
  args: endpoint,
  flags: { yes: onOff('do not ask') },
  covers: ['DELETE /api/v1/endpoints/{id}'],
  async run(context, { args, flags }) {
    const { calls } = await context.api();
    const question = `Delete ${args.endpoint}? Nothing can be delivered to it again.`;
    await confirmed(context, flags.yes, question, { says: 'Not confirmed: it stays.' });
    await answerOf(calls.DELETE('/api/v1/endpoints/{id}', path(args.endpoint)));
    context.speaker.say('Deleted.');
  },
});

const rotate = command({
  path: ['endpoints', 'rotate-secret'],
  summary: 'Make a new signing secret; it is shown once',
  args: endpoint,
  flags: {
    oldValidFor: value(
      '<duration>',
      'how long the old one goes on signing, too; 0s where others know it',
      parseDuration,
    ),
    ...SECRET_FLAG,
  },
  covers: ['POST /api/v1/endpoints/{id}/rotate-secret'],
  async run(context, { args, flags }) {
    const { calls } = await context.api();
    const body = flags.oldValidFor === undefined ? {} : { oldValidForMs: flags.oldValidFor };
    await makeSecret(context, { secretFile: flags.secretFile, member: 'secret' }, () =>
      answerOf(calls.POST('/api/v1/endpoints/{id}/rotate-secret', { ...path(args.endpoint), body })),
    );
  },
});

const test = command({
  path: ['endpoints', 'test'],
  summary: 'Send it a delivery of its own, to see whether it takes it',
  args: endpoint,
  covers: ['POST /api/v1/endpoints/{id}/test'],
  async run({ api, out, speaker }, { args }) {
    const { calls } = await api();
    const made = await answerOf(calls.POST('/api/v1/endpoints/{id}/test', path(args.endpoint)));
    await out.one(made);
    speaker.say(`See what became of it: redrive deliveries get ${made.deliveryId}`);
  },
});

/** The commands about endpoints. */
export const ENDPOINTS: readonly Command[] = [
  listing,
  get,
  create,
  update,
  enable,
  disable,
  rotate,
  test,
  versions,
  remove,
];
