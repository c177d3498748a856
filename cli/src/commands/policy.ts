import { answerOf, type components } from '@redrive/client';
import { readObject } from '../command/body.ts';
import { argument, type Command, command, onOff, value } from '../command/command.ts';
import { policyIn } from '../core/policy-file.ts';

const platform = { platform: onOff('the floor of the platform, in the place of that of a tenant') };

const get = command({
  path: ['policy', 'get'],
  summary: 'Show the policy, and what is in force',
  flags: platform,
  covers: ['GET /api/v1/policy', 'GET /api/v1/platform/policy'],
  async run({ api, out }, { flags }) {
    const { calls } = await api();
    await out.one(
      await answerOf(flags.platform ? calls.GET('/api/v1/platform/policy') : calls.GET('/api/v1/policy')),
    );
  },
});

const set = command({
  path: ['policy', 'set'],
  summary: 'Set the policy as a whole: what the file leaves out is asked for no more',
  details: [
    'A file that `policy get -o json` wrote replaces the policy that it was read from, and no other that somebody has set since; --digest says the same of any file.',
  ],
  args: { file: argument('its members as JSON, or what `policy get -o json` wrote; - is standard input') },
  flags: {
    ...platform,
    digest: value('<digest>', 'only in the place of the policy with this digest, as `policy get` shows it'),
  },
  covers: ['PUT /api/v1/policy', 'PUT /api/v1/platform/policy'],
  async run(context, { args, flags }) {
    const { calls } = await context.api();
    const body = {
      ...policyIn(await readObject(context, args.file)),
      ...(flags.digest === undefined ? {} : { digest: flags.digest }),
    } as components['schemas']['PolicyBody'];
    await context.out.one(
      await answerOf(
        flags.platform
          ? calls.PUT('/api/v1/platform/policy', { body })
          : calls.PUT('/api/v1/policy', { body }),
      ),
    );
  },
});

const limits = command({
  path: ['limits', 'get'],
  summary: 'Show the ceilings of the installation',
  covers: ['GET /api/v1/platform/limits'],
  async run({ api, out }) {
    const { calls } = await api();
    await out.one(await answerOf(calls.GET('/api/v1/platform/limits')));
  },
});

const setLimits = command({
  path: ['limits', 'set'],
  summary: 'Set the ceilings: one that the file leaves out is taken away',
  args: { file: argument('the ceilings as JSON; - is standard input') },
  covers: ['PUT /api/v1/platform/limits'],
  async run(context, { args }) {
    const { calls } = await context.api();
    const body = (await readObject(context, args.file)) as components['schemas']['NewPlatformLimits'];
    await context.out.one(await answerOf(calls.PUT('/api/v1/platform/limits', { body })));
  },
});

const floors = command({
  path: ['limits', 'retention'],
  summary: 'Show for how long every tenant keeps things at least',
  covers: ['GET /api/v1/platform/retention'],
  async run({ api, out }) {
    const { calls } = await api();
    await out.one(await answerOf(calls.GET('/api/v1/platform/retention')));
  },
});

const setFloors = command({
  path: ['limits', 'set-retention'],
  summary: 'Set for how long every tenant keeps things at least; what the file leaves out has no floor',
  args: { file: argument('the floors as JSON; - is standard input') },
  covers: ['PUT /api/v1/platform/retention'],
  async run(context, { args }) {
    const { calls } = await context.api();
    const body = (await readObject(context, args.file)) as components['schemas']['NewRetentionFloors'];
    await context.out.one(await answerOf(calls.PUT('/api/v1/platform/retention', { body })));
  },
});

export const POLICY: readonly Command[] = [get, set];
export const LIMITS: readonly Command[] = [limits, setLimits, floors, setFloors];
