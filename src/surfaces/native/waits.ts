import { z } from 'zod';
import { WAIT_REASONS, type Wait } from '../../domain/sending/waiting-for.ts';
import { shownTime } from './fields.ts';

const WaitView = z
  .strictObject({
    what: z.enum(WAIT_REASONS).meta({
      description:
        'The reason (docs/concepts.md). `end`: it will not be sent, and is about to be ended with the reason.',
      example: 'retry_after',
    }),
    until: shownTime('Until when at the latest, where that is known.').optional(),
    scope: z.literal('approve:retries').optional().meta({
      description: 'With `approval`: the scope of those who may give it.',
      example: 'approve:retries',
    }),
    missing: z.int().optional().meta({
      description: 'With `approval`, of an operation: how many are still to approve.',
      example: 1,
    }),
  })
  .meta({ id: 'Wait', description: 'Something that holds deliveries back.' });

/** A member with the reasons why something waits. */
export function waitsField(description: string) {
  return z.array(WaitView).meta({ description: `${description} Empty: nothing holds it back.` });
}

/** Shows the reasons why something waits. */
export function waitsView(waits: readonly Wait[] = []): z.input<typeof WaitView>[] {
  return waits.map(({ what, untilMs, missing }) => ({
    what,
    ...(untilMs === undefined ? {} : { until: new Date(untilMs).toISOString() }),
    ...(what === 'approval' ? { scope: 'approve:retries' as const } : {}),
    ...(missing === undefined ? {} : { missing }),
  }));
}
