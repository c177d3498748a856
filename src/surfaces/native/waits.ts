import { z } from 'zod';
import { WAIT_REASONS, type Wait } from '../../domain/sending/waiting-for.ts';
import { shownTime } from './fields.ts';

const WaitView = z
  .strictObject({
    what: z.enum(WAIT_REASONS).meta({
      description:
        'What holds it back (docs/concepts.md): `end` will not be sent, and is about to be ended with the reason.',
      example: 'retry_after',
    }),
    until: shownTime('Until when at the latest, where that is known.').optional(),
  })
  .meta({ id: 'Wait', description: 'Something that holds deliveries back.' });

/** A member that says what holds something back. */
export function waitsField(description: string) {
  return z.array(WaitView).meta({ description: `${description} Empty: nothing does.` });
}

/** Shows what holds something back. */
export function waitsView(waits: readonly Wait[] = []): z.input<typeof WaitView>[] {
  return waits.map(({ what, untilMs }) => ({
    what,
    ...(untilMs === undefined ? {} : { until: new Date(untilMs).toISOString() }),
  }));
}
