import { z } from 'zod';
import { MAX_EXPLICIT_IDS } from '../../../domain/operations/selection.ts';
import { ON_AMBIGUOUS } from '../../../domain/sending/retry-policy.ts';
import type { IdKind } from '../../../domain/tenancy/typed-id.ts';
import { DeliveryFilterBody } from '../deliveries/delivery-filter.ts';
import { durationField, idField, timeField, wordsField } from '../fields.ts';
import { nameField } from '../names.ts';

const DAY_MS = 86_400_000;
/** Nothing may wait for ever, and a time in a far year is a mistake. */
const MAX_AHEAD_MS = 90 * DAY_MS;

/** A list of ids of one kind in a selection. */
export const selectedIds = <Kind extends IdKind>(kind: Kind, description: string) =>
  z
    .array(idField(kind, description))
    .max(MAX_EXPLICIT_IDS)
    .optional()
    .meta({ description: `${description} An empty list selects nothing; a repeat counts once.` });

/** A list of events in a selection, by ids of ours or of their senders. */
export const selectedEvents = z
  .array(nameField('event', 'An event, by its id, ours or yours.'))
  .max(MAX_EXPLICIT_IDS)
  .optional()
  .meta({
    description:
      'All deliveries of these events. An empty list selects nothing; a repeat counts once. An id of ours wins over one of yours that looks like it.',
  });

const Select = z
  .strictObject({
    deliveryIds: selectedIds('delivery', 'These deliveries.'),
    eventIds: selectedEvents,
    executionIds: selectedIds('execution', 'The deliveries that these executions ran.'),
    failuresOf: idField('operation', 'The failed deliveries of this operation.').optional(),
    remainderOf: idField(
      'operation',
      'All deliveries that this operation selected and did not deliver, for whatever reason they are left; not what it still has to send: cancel it first.',
    ).optional(),
    outage: idField(
      'outage',
      'What an endpoint missed in this outage and has not got yet: the deliveries of its window that failed, that nobody knows of, or that were ignored because it was disabled. What is still to be sent by itself is left alone.',
    ).optional(),
    filter: DeliveryFilterBody.optional(),
  })
  .refine((select) => Object.values(select).filter((member) => member !== undefined).length === 1, {
    message:
      'Expected exactly one of deliveryIds, eventIds, executionIds, failuresOf, remainderOf, outage and filter.',
    params: { code: 'exactly_one' },
  })
  .meta({
    id: 'Select',
    description: 'The deliveries to retry: exactly one member.',
    minProperties: 1,
    maxProperties: 1,
  });

/** At 100 nothing would ever be held or halted, for no share is more than 100 %. */
const percent = (description: string, example: number) =>
  z.number().min(0).max(99).meta({ description, example });

const Options = z
  .strictObject({
    ratePerSecond: z
      .number()
      .min(0.01)
      .max(100_000)
      .optional()
      .meta({ description: 'Requests per second at most, over all endpoints.', example: 50 }),
    maxConcurrency: z
      .int()
      .min(1)
      .max(10_000)
      .optional()
      .meta({ description: 'Requests at a time at most, over all endpoints.', example: 10 }),
    takeOverScheduled: z.boolean().optional().meta({
      description:
        'Send now the deliveries that are merely queued or scheduled elsewhere, in the place of those executions.',
      example: false,
    }),
    notBefore: timeField('Nothing is sent before; 90 days ahead at most.')
      .refine((text) => Date.parse(text) <= Date.now() + MAX_AHEAD_MS, {
        message: 'Expected a time within the next 90 days.',
        params: { code: 'out_of_range' },
      })
      .optional(),
    giveUpAfterMs: durationField(
      1_000,
      30 * DAY_MS,
      'How long items are tried before they are given up; as the endpoint says where left out.',
      DAY_MS,
    ).optional(),
    disabledPatienceMs: durationField(
      0,
      7 * DAY_MS,
      'How long items that are queued or scheduled wait at an endpoint that an operator disables, before they are ignored; 15 minutes where left out.',
      15 * 60_000,
    ).optional(),
    canary: z
      .strictObject({
        count: z.int().min(1).max(10_000).meta({ description: 'Items of each endpoint.', example: 25 }),
        maxFailurePercent: percent('More bad first attempts than this, and its other items are held.', 10),
      })
      .optional()
      .meta({ description: 'A few items of each endpoint go first; the others follow where these do well.' }),
    ramp: z
      .strictObject({
        startPerSecond: z
          .number()
          .min(0.01)
          .max(100_000)
          .meta({ description: 'Requests per second to begin with.', example: 5 }),
        everySeconds: z.int().min(1).max(86_400).meta({ description: 'How often it doubles.', example: 60 }),
      })
      .optional()
      .meta({
        description:
          'The rate doubles while the first attempts do well, up to `ratePerSecond`, which must be more.',
      }),
    haltAtFailurePercent: percent(
      'More bad attempts of the last minute than this, from 50 on, and the operation is halted.',
      50,
    ).optional(),
    includeResent: z.boolean().optional().meta({
      description:
        'You know that the sender has sent some of it again, and replay it all the same: its receiver may get it twice, under two ids. With `mode: replay` only.',
      example: false,
    }),
    onAmbiguous: z.enum(ON_AMBIGUOUS).optional().meta({
      description:
        'Used in the place of the policies of the endpoints when nobody knows whether a request arrived.',
      example: 'hold',
    }),
  })
  .refine(
    ({ ramp, ratePerSecond }) =>
      ramp === undefined || ratePerSecond === undefined || ramp.startPerSecond < ratePerSecond,
    {
      path: ['ramp', 'startPerSecond'],
      message: 'Expected less than `ratePerSecond`, up to which the rate doubles.',
      params: { code: 'out_of_range' },
    },
  )
  .meta({ id: 'RetryOptions' });

/** Refuses a request for something that cannot be, before it becomes an operation that does nothing of it. */
function refuseContradictions(
  {
    select,
    mode,
    options,
  }: { select: z.output<typeof Select>; mode: 'retry' | 'replay'; options: z.output<typeof Options> },
  context: z.RefinementCtx,
): void {
  const refuse = (path: string[], message: string) =>
    context.addIssue({ code: 'custom', path, message, params: { code: 'never_matches' } });
  const { state } = select.filter ?? {};
  if (mode === 'retry' && state && state.length > 0 && state.every((each) => each === 'delivered'))
    refuse(['select', 'filter', 'state'], 'A retry leaves alone what is delivered; `mode: replay` sends it.');
  const named: readonly string[] | undefined = select.deliveryIds ?? select.executionIds;
  if (options.canary && named && named.length > 0 && new Set(named).size <= options.canary.count)
    refuse(
      ['options', 'canary', 'count'],
      'All that is selected would be the canary: expected a smaller count, or none.',
    );
}

/** A request for a retry or replay. */
export const RetryRequest = z
  .strictObject({
    select: Select,
    mode: z.enum(['retry', 'replay']).default('retry').meta({
      description:
        '`retry` leaves delivered deliveries alone; `replay` sends them again, with the same `webhook-id`.',
      example: 'retry',
    }),
    target: z
      .enum(['original', 'current'])
      .default('current')
      .meta({ description: 'Send to where it went first, or to where it would go now.', example: 'current' }),
    newIdentity: z.boolean().optional().meta({
      description:
        'Each delivery that is selected is sent as a new one, with a `webhook-id` of its own and `replayOf`: its receiver takes it for something that it has not had. With `mode: replay` only.',
      example: false,
    }),
    options: Options.default({}),
    reason: wordsField(
      1_000,
      'The reason, which the record keeps.',
      'endpoint was down from 02:00 to 05:00',
    ).optional(),
    ticket: wordsField(255, 'Where this is tracked.', 'OPS-42').optional(),
    emergency: z.boolean().optional().meta({
      description:
        'It does not wait for approval, whatever the policy says: needs the scope `approve:emergency` and a `reason`, and stays on the report.',
      example: false,
    }),
    dryRun: z.boolean().optional().meta({
      description: 'Nothing is sent: it becomes a plan that can be executed for 15 minutes.',
      example: false,
    }),
  })
  .superRefine(refuseContradictions)
  .refine(({ mode, options }) => mode === 'replay' || options.includeResent !== true, {
    path: ['options', 'includeResent'],
    message: 'Expected `mode: replay` with it: a retry never sends what was sent again.',
    params: { code: 'not_allowed' },
  })
  .superRefine(({ mode, newIdentity, options }, context) => {
    if (newIdentity !== true) return;
    const refuse = (path: string[], message: string) =>
      context.addIssue({ code: 'custom', path, message, params: { code: 'not_allowed' } });
    if (mode !== 'replay')
      refuse(
        ['newIdentity'],
        'Expected `mode: replay` with it: a retry goes on with the delivery that it is of.',
      );
    if (options.takeOverScheduled === true)
      refuse(
        ['options', 'takeOverScheduled'],
        'A new delivery takes nothing over: leave this out, or `newIdentity`.',
      );
  })
  .refine(({ emergency, reason }) => emergency !== true || reason !== undefined, {
    path: ['reason'],
    message: 'An emergency needs a reason.',
    params: { code: 'required' },
  })
  .meta({ id: 'RetryRequest' });
