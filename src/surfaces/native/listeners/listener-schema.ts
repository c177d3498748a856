import { z } from 'zod';
import { LISTENER_LASTS_MS } from '../../../domain/listeners/listener.ts';
import { NewEndpoint } from '../endpoints/endpoint-schema.ts';
import { durationField, shownId, shownTime } from '../fields.ts';

/** The time that a person with a debugger has for an answer, where nothing else is asked for. */
export const ANSWERED_WITHIN_MS = 30_000;

/** The longest body of an answer, in base64; 1,024 bytes of it are kept. */
const MAX_ANSWER_BODY = 88_000;

const { eventTypes, filter, secret } = NewEndpoint.shape;

/** The members of a new listener. */
export const NewListener = z
  .strictObject({
    eventTypes,
    filter,
    secret,
    timeoutMs: durationField(
      100,
      60_000,
      'Time for the answer to one request, from when it was sent.',
      ANSWERED_WITHIN_MS,
    ).optional(),
  })
  .meta({
    id: 'NewListener',
    description: `Defaults of members that are left out: timeoutMs ${ANSWERED_WITHIN_MS}; every event; a secret is made.`,
  });

/** A listener that was just opened. */
export const OpenedListener = z
  .strictObject({
    id: shownId('listener', 'Id of the listener.'),
    endpointId: shownId('endpoint', 'Its endpoint, which is deleted when it ends.'),
    secret: z.string().meta({
      description: 'The secret that its requests are signed with. It is shown now and never again.',
      example: 'whsec_…',
    }),
    expiresAt: shownTime(
      `When it ends, unless a connection holds it by then: ${LISTENER_LASTS_MS / 1_000} seconds from now.`,
    ),
    links: z
      .strictObject({
        stream: z.string().meta({
          description: 'Hands its requests down.',
          example: '/api/v1/listeners/lsn_01k9z3e5hbe7r9qk2m4n6p8r0s/stream',
        }),
        answers: z.string().meta({
          description: 'Takes the answers to them.',
          example: '/api/v1/listeners/lsn_01k9z3e5hbe7r9qk2m4n6p8r0s/answers',
        }),
      })
      .meta({ description: 'What follows.' }),
  })
  .meta({ id: 'OpenedListener' });

/** The answer to one request, or to the question whether somebody is there. */
export const ListenerAnswerBody = z
  .strictObject({
    token: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,100}$/, 'Expected the token of a request.')
      .optional()
      .meta({ description: 'The token of the request.', example: 'q1Zk0Xh2bT5cA8rT' }),
    status: z
      .int()
      .min(200)
      .max(599)
      .optional()
      .meta({ description: 'The status that the receiver answered.', example: 200 }),
    body: z
      .string()
      .max(MAX_ANSWER_BODY)
      .regex(/^[A-Za-z0-9+/]*={0,2}$/, 'Expected base64.')
      .optional()
      .meta({
        description: 'The body that it answered, in base64; its first 1,024 bytes are kept.',
        example: 'b2s=',
      }),
    unreachable: z.literal(true).optional().meta({
      description: 'The receiver could not be reached: the request certainly did not arrive.',
      example: true,
    }),
    here: z.literal(true).optional().meta({
      description: 'Somebody is there: the answer to an event `check`, which has no token.',
      example: true,
    }),
  })
  .refine(({ token, here }) => (token === undefined) !== (here === undefined), {
    message: 'Expected the token of a request, or `here`.',
    path: ['token'],
    params: { code: 'required' },
  })
  .refine(({ status, unreachable, here }) => [status, unreachable, here].filter(isGiven).length === 1, {
    message: 'Expected either the status that was answered, or `unreachable`, or `here`.',
    path: ['status'],
    params: { code: 'required' },
  })
  .refine(({ body, status }) => body === undefined || status !== undefined, {
    message: 'Only an answer has a body.',
    path: ['body'],
    params: { code: 'invalid_value' },
  })
  .meta({ id: 'ListenerAnswer' });

function isGiven(value: unknown): boolean {
  return value !== undefined;
}
