import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { type Route, route } from '../../../api/route.ts';
import { present } from '../../../domain/present.ts';
import { platformLimits, setPlatformLimits } from '../../../store/policy/platform-limits.ts';
import { wholeDigest } from '../../../store/policy/whole-digest.ts';
import { setPlatformWhole } from './platform-whole.ts';
import { readDigest, shownDigest } from './whole.ts';

const PATH = '/api/v1/platform/limits';
const MOST = 1_000_000_000;

const limit = (description: string, example: number) =>
  z
    .int()
    .min(1)
    .max(MOST)
    .nullable()
    .meta({ description: `${description} No ceiling where null.`, example });

const MEMBERS = {
  itemsPerOperation: limit('Deliveries that one operation takes at most.', 5_000_000),
  itemsPerDay: limit('Deliveries that the operations of a tenant take on a day at most, in UTC.', 20_000_000),
  openOperations: limit('Operations of a tenant that are open at a time at most.', 50),
  ratePerSecond: z.number().min(0.01).max(100_000).nullable().meta({
    description: 'Rate of one operation at most; one that names no rate is above it. No ceiling where null.',
    example: 2_000,
  }),
};

const LimitsView = z
  .strictObject({
    ...MEMBERS,
    digest: shownDigest(
      'SHA-256 of the ceilings: sent with others, they are set in the place of these alone.',
    ),
  })
  .meta({
    id: 'PlatformLimits',
    description: 'Ceilings of the installation: above one an operation is refused (`quota_exceeded`).',
  });

const LimitsBody = z
  .strictObject({
    itemsPerOperation: MEMBERS.itemsPerOperation.optional(),
    itemsPerDay: MEMBERS.itemsPerDay.optional(),
    openOperations: MEMBERS.openOperations.optional(),
    ratePerSecond: MEMBERS.ratePerSecond.optional(),
    digest: readDigest(
      '`digest` of the ceilings that were read: these are set in their place, and in that of no others. Without it whatever is there is replaced.',
    ),
  })
  .meta({ id: 'NewPlatformLimits', description: 'All ceilings: one that is left out is taken away.' });

const CEILINGS = {
  members: 'ceilings',
  action: 'platform_limits.changed',
  read: platformLimits,
  write: setPlatformLimits,
} as const;

/** The ceilings of the installation, for its keys. */
export function platformLimitRoutes({ pool }: ApiDeps): Route[] {
  const common = { tag: 'Policy', path: PATH, access: { of: 'installation' } } as const;
  const responses = { 200: { description: 'The ceilings.', schema: LimitsView } };
  return [
    route({
      ...common,
      method: 'get',
      summary: 'Show the ceilings of the installation',
      responses,
      handler: async () => ({ status: 200, body: await shown() }),
    }),
    route({
      ...common,
      method: 'put',
      summary: 'Set the ceilings of the installation',
      description:
        'They hold for every tenant, for what is accepted or executed from then on. What is above one is refused; nothing is cut off. Single retries are never above one. With `digest` they take the place of those that were read, and of no others that somebody has set meanwhile.',
      request: { body: LimitsBody },
      responses,
      problems: ['settings_changed'],
      async handler({ body: { digest, ...limits }, caller }) {
        const refused = await setPlatformWhole(pool, CEILINGS, present(limits), { digest, by: caller });
        return refused ?? { status: 200, body: await shown() };
      },
    }),
  ];

  async function shown(): Promise<z.input<typeof LimitsView>> {
    const limits = await platformLimits(pool);
    return {
      itemsPerOperation: limits.itemsPerOperation ?? null,
      itemsPerDay: limits.itemsPerDay ?? null,
      openOperations: limits.openOperations ?? null,
      ratePerSecond: limits.ratePerSecond ?? null,
      digest: wholeDigest(limits),
    };
  }
}
