import { answerOf } from '@redrive/client';
import { argument, type Command, choice, command, value } from '../command/command.ts';
import { LIMIT_FLAG, writeList } from '../command/listing.ts';
import { parseCount } from '../core/pace.ts';
import { usage } from '../core/stop.ts';
import { shownTime } from '../core/times.ts';

const tenant = { tenant: argument('the tenant, by id or handle') };

/** A number, or none to take the limit away; the parser of flags knows no null. */
type Limit = number | 'none';
const limit = (text: string): Limit => (text === 'none' ? text : parseCount(text));

const SETTING_FLAGS = {
  name: value('<name>', 'its name for people'),
  plan: choice(['free', 'pro', 'business'], 'its plan'),
  payloadRetentionDays: value('<n|none>', 'how long payloads are kept', limit),
  eventRetentionDays: value('<n|none>', 'how long events are kept, with all that hangs on them', limit),
  receiptRetentionDays: value('<n|none>', 'how long receipts are shown', limit),
  ledgerRetentionDays: value('<n|none>', 'how long lines of ledgers are kept', limit),
  reportRetentionDays: value('<n|none>', 'how long closed operations and their reports are kept', limit),
  replaysPerDay: value('<n|none>', 'replays of receipts in 24 hours', limit),
};

const SETTINGS = [
  'payloadRetentionDays',
  'eventRetentionDays',
  'receiptRetentionDays',
  'ledgerRetentionDays',
  'reportRetentionDays',
  'replaysPerDay',
] as const;
type Setting = (typeof SETTINGS)[number];

type Settings = Record<Setting, Limit | undefined> & {
  name: string | undefined;
  plan: 'free' | 'pro' | 'business' | undefined;
};

function bodyOf(flags: Settings) {
  const settings: Partial<Record<Setting, number | null>> = {};
  for (const setting of SETTINGS) {
    const said = flags[setting];
    if (said !== undefined) settings[setting] = said === 'none' ? null : said;
  }
  return {
    ...(flags.name ? { name: flags.name } : {}),
    ...(flags.plan ? { plan: flags.plan } : {}),
    ...(Object.keys(settings).length > 0 ? { settings } : {}),
  };
}

const listing = command({
  path: ['tenants', 'list'],
  summary: 'List tenants',
  flags: LIMIT_FLAG,
  covers: ['GET /api/v1/tenants'],
  async run(context, { flags }) {
    const { calls } = await context.api();
    await writeList(
      context,
      flags,
      (page) => answerOf(calls.GET('/api/v1/tenants', { params: { query: page } })),
      [
        { head: 'tenant', cell: ({ id }) => id },
        { head: 'handle', cell: ({ handle }) => handle },
        { head: 'name', cell: ({ name }) => name },
        { head: 'plan', cell: ({ plan }) => plan },
        { head: 'made', cell: ({ createdAt }) => shownTime(createdAt) },
      ],
    );
  },
});

const get = command({
  path: ['tenants', 'get'],
  summary: 'Show a tenant',
  args: tenant,
  covers: ['GET /api/v1/tenants/{id}'],
  async run({ api, out }, { args }) {
    const { calls } = await api();
    await out.one(
      await answerOf(calls.GET('/api/v1/tenants/{id}', { params: { path: { id: args.tenant } } })),
    );
  },
});

const create = command({
  path: ['tenants', 'create'],
  summary: 'Make a tenant',
  args: { handle: argument('its name in calls: it never changes') },
  flags: SETTING_FLAGS,
  covers: ['POST /api/v1/tenants'],
  async run({ api, out }, { args, flags }) {
    const { calls } = await api();
    await out.one(
      await answerOf(calls.POST('/api/v1/tenants', { body: { handle: args.handle, ...bodyOf(flags) } })),
    );
  },
});

const update = command({
  path: ['tenants', 'update'],
  summary: 'Change a tenant; what is left out stays',
  args: tenant,
  flags: SETTING_FLAGS,
  covers: ['PATCH /api/v1/tenants/{id}'],
  async run({ api, out }, { args, flags }) {
    const { calls } = await api();
    const body = bodyOf(flags);
    if (Object.keys(body).length === 0) throw usage('Nothing is to be changed.');
    await out.one(
      await answerOf(calls.PATCH('/api/v1/tenants/{id}', { params: { path: { id: args.tenant } }, body })),
    );
  },
});

/** The commands about tenants. */
export const TENANTS: readonly Command[] = [listing, get, create, update];
