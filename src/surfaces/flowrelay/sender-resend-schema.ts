import { z } from 'zod';
import { RESENT_PARTS } from './domain/sender-resend.ts';

const part = (description: string, example: (typeof RESENT_PARTS)[number]) =>
  z.enum(RESENT_PARTS).meta({ description, example });

/** The fate of a further request of the sender with the same id, type and source. */
export const SenderResendView = z
  .strictObject({
    samePayload: part(
      '`new_delivery`: it is delivered. `suppressed`: nothing of it is sent to the endpoints that had the event. `partly_suppressed`: to some of them. `new_event`: the event had no id, so that any request is a new one.',
      'new_delivery',
    ),
    changedPayload: part('The same, where the payload differs.', 'new_delivery'),
  })
  .meta({
    id: 'FlowRelaySenderResend',
    description: 'The fate of the event if its sender sent it again under the same id.',
  });
