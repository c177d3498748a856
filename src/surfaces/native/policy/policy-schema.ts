import { z } from 'zod';
import { CLOCK_TIME, type FreezeWindow, WEEKDAYS } from '../../../domain/policy/freeze-windows.ts';
import {
  APPROVE_WHEN,
  NO_POLICY,
  type Policy,
  type PolicyInForce,
  QUOTAS,
} from '../../../domain/policy/policy.ts';
import { MAX_PATTERN, readTicketPattern } from '../../../domain/policy/ticket-pattern.ts';
import { present } from '../../../domain/present.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { idField, shownId } from '../fields.ts';
import { readDigest, shownDigest } from './whole.ts';

const MOST = 1_000_000_000;
const MAX_WINDOWS = 50;

const limit = (description: string, example: number) =>
  z.int().min(0).max(MOST).meta({ description, example });

const Quotas = {
  itemsPerOperation: limit('Deliveries of one operation.', 10_000),
  itemsPerDay: limit('Deliveries of all operations of a day, in UTC.', 100_000),
  openOperations: limit('Operations at the same time.', 5),
  ratePerSecond: z.number().min(0.01).max(100_000).meta({
    description: 'Requests per second of one operation; one without a rate of its own is above it.',
    example: 100,
  }),
};

const clock = (description: string, example: string) =>
  z.string().regex(CLOCK_TIME, 'Expected a time such as 22:00.').meta({ description, example });

const Window = z.strictObject({
  zone: z.string().min(1).max(64).meta({ description: 'Name of a zone (IANA).', example: 'Europe/Berlin' }),
  days: z
    .array(z.enum(WEEKDAYS))
    .min(1)
    .max(7)
    .meta({ description: 'The days on which it begins.', example: ['mon', 'tue'] }),
  from: clock('When it begins, by the clocks of its zone.', '22:00'),
  to: clock('When it ends; a window whose end is not after its beginning passes midnight.', '06:00'),
});

const reasonAbove = limit('An operation of more deliveries needs a reason.', 100);
const approveAbove = limit('An operation of more deliveries waits for approval.', 1_000);

const ticketPattern = z
  .string()
  .min(1)
  .max(MAX_PATTERN)
  .refine((text) => readTicketPattern(text) !== undefined, {
    message:
      'Expected characters, classes such as [A-Z] or \\d, and numbers of times such as {2,5}; alternatives are divided by |.',
    params: { code: 'wrong_format' },
  })
  .meta({
    description:
      'It needs a ticket of this form, too: a small part of regular expressions, which has to match the whole ticket (docs/policy.md). Only with `reasonAbove`.',
    example: '[A-Z]{2,5}-\\d+',
  });

const approveWhen = z
  .array(z.enum(APPROVE_WHEN))
  .max(APPROVE_WHEN.length)
  .meta({
    description:
      'It waits for approval, however small it is: where a delivery of it may have arrived, was first sent to another address, or was delivered and is replayed.',
    example: ['mayHaveArrived'],
  });

const Approvers = z
  .strictObject({
    count: z.int().min(1).max(5).meta({ description: 'How many distinct actors approve.', example: 2 }),
  })
  .meta({ description: 'Who approves: never who asked for it, whatever they may do otherwise.' });

/** The body of a policy: what is left out sets no limit. */
export const PolicyBody = z
  .strictObject({
    digest: readDigest(
      '`digest` of the policy that was read: it is set in the place of that one, and of no other. Without it whatever is there is replaced.',
    ),
    reasonAbove: reasonAbove.optional(),
    ticketPattern: ticketPattern.optional(),
    approveAbove: approveAbove.optional(),
    approveWhen: approveWhen.optional(),
    approvers: Approvers.optional(),
    quotas: z
      .strictObject(
        Object.fromEntries(QUOTAS.map((quota) => [quota, Quotas[quota].optional()])) as {
          [Quota in keyof typeof Quotas]: z.ZodOptional<(typeof Quotas)[Quota]>;
        },
      )
      .optional()
      .meta({ description: 'An operation that exceeds one waits for approval.' }),
    freezeWindows: z
      .array(
        Window.extend({
          endpoints: z
            .array(idField('endpoint', 'An endpoint.'))
            .min(1)
            .max(1_000)
            .optional()
            .meta({ description: 'The endpoints that it is for; all where left out.' }),
        }),
      )
      .max(MAX_WINDOWS)
      .optional()
      .meta({ description: 'Spans of the week within which no bulk item is sent.' }),
  })
  .refine(({ ticketPattern: pattern, reasonAbove: above }) => pattern === undefined || above !== undefined, {
    path: ['ticketPattern'],
    message: 'Expected `reasonAbove` with it, which says from where on.',
    params: { code: 'not_allowed' },
  })
  .meta({ id: 'PolicyBody' });

const ShownWindow = Window.extend({
  endpoints: z
    .array(shownId('endpoint', 'An endpoint.'))
    .nullable()
    .meta({ description: 'The endpoints that it is for; all where null.' }),
});

const SHOWN = {
  reasonAbove: reasonAbove.nullable(),
  approveAbove: approveAbove.nullable(),
  approveWhen,
  approvers: Approvers,
  quotas: z
    .strictObject(
      Object.fromEntries(QUOTAS.map((quota) => [quota, Quotas[quota].nullable()])) as {
        [Quota in keyof typeof Quotas]: z.ZodNullable<(typeof Quotas)[Quota]>;
      },
    )
    .meta({
      description: 'An operation that exceeds one waits for approval.',
      example: { itemsPerDay: 100_000 },
    }),
  freezeWindows: z.array(ShownWindow).meta({ description: 'Spans within which no bulk item is sent.' }),
};

/** A policy by itself. */
export const PolicyView = z
  .strictObject({ ...SHOWN, ticketPattern: ticketPattern.nullable() })
  .meta({ id: 'Policy', description: 'Rules for what may run by itself; null sets no limit.' });

/** The rules that hold, of the tenant and of the platform together. */
export const PolicyInForceView = z
  .strictObject({
    ...SHOWN,
    ticketPatterns: z
      .array(z.string())
      .meta({ description: 'The forms of a ticket: it has each of them.', example: ['[A-Z]{2,5}-\\d+'] }),
    digest: shownDigest('SHA-256 by which reports and audit name it.'),
  })
  .meta({ id: 'PolicyInForce', description: 'The rules that hold: of each member the sharper one.' });

/** The policy of a body; what means the same is kept alike. */
export function policyOf(body: z.output<typeof PolicyBody>): Policy {
  return {
    ...present({
      reasonAbove: body.reasonAbove,
      ticketPattern: body.ticketPattern,
      approveAbove: body.approveAbove,
    }),
    approveWhen: APPROVE_WHEN.filter((when) => body.approveWhen?.includes(when)),
    approvers: body.approvers ?? NO_POLICY.approvers,
    quotas: present(body.quotas ?? {}),
    freezeWindows: (body.freezeWindows ?? []).map(({ endpoints, days, ...window }) => ({
      ...window,
      days: WEEKDAYS.filter((day) => days.includes(day)),
      ...present({ endpoints }),
    })),
  };
}

function common({ quotas, freezeWindows, ...policy }: Policy | PolicyInForce) {
  return {
    reasonAbove: policy.reasonAbove ?? null,
    approveAbove: policy.approveAbove ?? null,
    approveWhen: [...policy.approveWhen],
    approvers: policy.approvers,
    quotas: {
      itemsPerOperation: quotas.itemsPerOperation ?? null,
      itemsPerDay: quotas.itemsPerDay ?? null,
      openOperations: quotas.openOperations ?? null,
      ratePerSecond: quotas.ratePerSecond ?? null,
    },
    freezeWindows: freezeWindows.map(windowView),
  };
}

function windowView({ endpoints, days, ...window }: FreezeWindow) {
  return {
    ...window,
    days: [...days],
    endpoints: endpoints?.map((id) => showId('endpoint', id)) ?? null,
  };
}

/** Shows a policy. */
export function policyView(policy: Policy): z.input<typeof PolicyView> {
  return { ...common(policy), ticketPattern: policy.ticketPattern ?? null };
}

/** Shows the rules that hold. */
export function inForceView(rules: PolicyInForce, digest: string): z.input<typeof PolicyInForceView> {
  return { ...common(rules), ticketPatterns: rules.ticketPatterns, digest };
}
