import { z } from 'zod';
import { approvals, HOLD_ENDS, type Hold, VERDICTS } from '../../../domain/policy/hold.ts';
import { MISSING } from '../../../domain/policy/judgement.ts';
import { APPROVE_WHEN, QUOTAS } from '../../../domain/policy/policy.ts';
import { shownTime } from '../fields.ts';

const digest = (description: string) =>
  z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .meta({ description, example: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08' });

/** What a policy asked of an operation, and what came of it. */
export const HoldView = z
  .strictObject({
    planHash: digest('What is approved: the hash of the plan.'),
    policy: digest('The policy that held it, by its digest.'),
    because: z.array(z.enum(['items', ...APPROVE_WHEN, ...QUOTAS])).meta({
      description: 'Why it has to be approved: its number of items, a risk, or a quota.',
      example: ['items'],
    }),
    missing: z
      .array(z.enum(MISSING))
      .meta({ description: 'Words that are still to be given: `POST …/explain`.', example: [] }),
    approvers: z
      .strictObject({
        needed: z.int().meta({ description: 'How many distinct actors have to approve.', example: 2 }),
        given: z.int().meta({ description: 'How many have.', example: 1 }),
        scope: z.literal('approve:retries').meta({
          description: 'The scope of those who may.',
          example: 'approve:retries',
        }),
      })
      .meta({ description: 'Who approves: never who asked for it.' }),
    verdicts: z
      .array(
        z.strictObject({
          verdict: z.enum(VERDICTS).meta({ description: 'What was said.', example: 'approve' }),
          by: z
            .string()
            .meta({ description: 'Who said it, as the credential names it.', example: 'actor:bob' }),
          at: shownTime('When.'),
          comment: z
            .string()
            .nullable()
            .meta({ description: 'With which words; null without any.', example: 'checked with support' }),
          commentDigest: digest('Their digest, as the signed report has it.').nullable(),
        }),
      )
      .meta({ description: 'What was said, in its order.' }),
    openedAt: shownTime('Since when it waited.'),
    endedAt: shownTime('Until when it waited.').nullable(),
    endedFor: z.enum(HOLD_ENDS).nullable().meta({
      description:
        'How that ended: `explained` where only words were missing, `void` where it was approved and too much had changed by then; null while it waits.',
      example: 'approved',
    }),
  })
  .meta({ id: 'Approval', description: 'What a policy asked of an operation, the last time.' });

/** Shows what a policy asked of an operation. */
export function holdView(hold: Hold): z.input<typeof HoldView> {
  return {
    planHash: hold.planHash,
    policy: hold.policyDigest,
    because: hold.because,
    missing: hold.missing,
    approvers: { needed: hold.approvers, given: approvals(hold), scope: 'approve:retries' },
    verdicts: hold.verdicts.map(({ verdict, actor, at, comment, commentDigest }) => ({
      verdict,
      by: actor,
      at: at.toISOString(),
      comment: comment ?? null,
      commentDigest: commentDigest ?? null,
    })),
    openedAt: hold.openedAt.toISOString(),
    endedAt: hold.ended?.at.toISOString() ?? null,
    endedFor: hold.ended?.for ?? null,
  };
}
