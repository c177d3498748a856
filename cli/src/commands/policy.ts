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
      ...digestIn(flags),
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
  details: [
    'A file that `limits get -o json` wrote replaces the ceilings that it was read from, and no others that somebody has set since; --digest says the same of any file.',
  ],
  args: { file: argument('the ceilings as JSON, or what `limits get -o json` wrote; - is standard input') },
  flags: {
    digest: value('<digest>', 'only in the place of the ceilings with this digest, as `limits get` shows it'),
  },
  covers: ['PUT /api/v1/platform/limits'],
  async run(context, { args, flags }) {
    const { calls } = await context.api();
    const body: components['schemas']['NewPlatformLimits'] = {
      ...(await readObject(context, args.file)),
      ...digestIn(flags),
    };
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
  details: [
    'A file that `limits retention -o json` wrote replaces the floors that it was read from, and no others that somebody has set since; --digest says the same of any file.',
  ],
  args: {
    file: argument('the floors as JSON, or what `limits retention -o json` wrote; - is standard input'),
  },
  flags: {
    digest: value(
      '<digest>',
      'only in the place of the floors with this digest, as `limits retention` shows it',
    ),
  },
  covers: ['PUT /api/v1/platform/retention'],
  async run(context, { args, flags }) {
    const { calls } = await context.api();
    const body: components['schemas']['NewRetentionFloors'] = {
      ...(await readObject(context, args.file)),
      ...digestIn(flags),
    };
    await context.out.one(await answerOf(calls.PUT('/api/v1/platform/retention', { body })));
  },
});

/** The digest that is named on the command line, in the place of that of the file. */
function digestIn({ digest }: { digest?: string | undefined }): { digest?: string } {
  return digest === undefined ? {} : { digest };
}

export const POLICY: readonly Command[] = [get, set];
export const LIMITS: readonly Command[] = [limits, setLimits, floors, setFloors];
