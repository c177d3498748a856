import { z } from 'zod';
import { headerFaults } from '../../../domain/endpoints/custom-header.ts';
import { ON_EXHAUSTED } from '../../../domain/endpoints/endpoint.ts';
import { ENDPOINT_STATES } from '../../../domain/endpoints/endpoint-state.ts';
import { type EventFilter, filterFaults, pathFault } from '../../../domain/endpoints/event-filter.ts';
import { typePatternFault } from '../../../domain/endpoints/event-type.ts';
import { contradictions } from '../../../domain/endpoints/filter-contradiction.ts';
import { PARTNER_DIRECTIONS } from '../../../domain/endpoints/preparation.ts';
import { ON_RECOVERED } from '../../../domain/outages/outage-state.ts';
import { CIRCUIT_STATES } from '../../../domain/sending/endpoint-health.ts';
import { namesDelivery } from '../../../domain/sending/probe.ts';
import { DEFAULT_RETRY_POLICY, ON_AMBIGUOUS } from '../../../domain/sending/retry-policy.ts';
import { parseSecret } from '../../../outbound/signature.ts';
import { durationField, shownId, shownTime, textField } from '../fields.ts';
import { waitsField } from '../waits.ts';
import { caCertificate, certificateViews, clientCertificate } from './endpoint-certificates.ts';

const DAY_MS = 86_400_000;

/** The defaults of an endpoint. */
export const ENDPOINT_DEFAULTS = {
  timeoutMs: 20_000,
  retry: DEFAULT_RETRY_POLICY,
  giveUpAfterMs: DAY_MS,
  onAmbiguous: 'resend',
  reconcileWithinMs: 3_600_000,
  requireAck: false,
  traceparent: false,
  protect: true,
  ordered: false,
  onExhausted: 'block',
  onRecovered: 'propose',
} as const;

/** A path cannot hold them: clients take them for the directory, and the one above. */
const NO_SEGMENTS = ['.', '..'];

/** A handle that looks like an id could not be told from one. */
const ID_SHAPED = /^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[a-z]{2,4}_[0-9a-hjkmnp-tv-z]{26})$/;

const handle = z
  .string()
  .regex(/^[a-zA-Z0-9._-]{1,81}$/, 'Expected 1 to 81 letters, digits, dots, dashes and underscores.')
  .refine((text) => !NO_SEGMENTS.includes(text), {
    message: 'A path cannot hold this handle.',
    params: { code: 'wrong_format' },
  })
  .refine((text) => !ID_SHAPED.test(text), {
    message: 'A handle may not look like an id.',
    params: { code: 'wrong_format' },
  })
  .meta({ description: 'Name of the endpoint within the tenant; it never changes.', example: 'billing' });

function refine(context: z.RefinementCtx, fault: string | undefined, code: string): void {
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault, params: { code } });
}

/** A path of names joined by dots, as in filters. */
function pathField(description: string, example: string) {
  return textField(255, description, example).superRefine((path, context) =>
    refine(context, pathFault(path)?.message, 'wrong_format'),
  );
}

const url = textField(
  2_048,
  'Where deliveries are posted to: http or https, a public address.',
  'https://example.com/hooks',
);

const typePattern = textField(
  255,
  'A type, a prefix that ends in `.*`, or `*` for all.',
  'invoice.*',
).superRefine((pattern, context) => refine(context, typePatternFault(pattern), 'never_matches'));

const eventTypes = z
  .array(typePattern)
  .min(1)
  .max(100)
  .meta({
    description:
      'Types of event it wants: exact, by a prefix such as `invoice.*`, or `*` for all; all where null, too.',
    example: ['invoice.*'],
  });

/** Members are checked by the domain: a zod record would drop the name `__proto__` without a word. */
const filter = z
  .unknown()
  .superRefine((value, context) => {
    const faults = filterFaults(value);
    for (const { path, code, message } of faults.length > 0 ? faults : contradictions(value as EventFilter))
      context.addIssue({ code: 'custom', path, message, params: { code } });
  })
  .transform((value) => value as EventFilter)
  .meta({
    type: ['object', 'null'],
    description:
      'Conditions on the payload by path, all of which must hold (docs/filters.md); none where null. Strings, times among them, are compared as text.',
    example: { 'data.amount': { $gte: 100 }, 'data.currency': { $in: ['EUR', 'USD'] } },
  });

const headers = z
  .unknown()
  .superRefine((value, context) => {
    for (const { name, code, message } of headerFaults(value))
      context.addIssue({ code: 'custom', path: name === '' ? [] : [name], message, params: { code } });
  })
  .transform((value) => value as Record<string, string>)
  .meta({
    type: ['object', 'null'],
    additionalProperties: { type: 'string' },
    description: 'Headers sent with every request, by name; kept encrypted and never shown again.',
    example: { 'x-api-key': 'their key for us' },
  });

const timeoutMs = durationField(
  100,
  60_000,
  'Total time limit of one attempt, from its start to the last byte read.',
  20_000,
);
const retry = z
  .strictObject({
    maxAttempts: z
      .int()
      .min(1)
      .max(100)
      .optional()
      .meta({ description: 'Attempts in all.', example: DEFAULT_RETRY_POLICY.maxAttempts }),
    initialMs: durationField(
      0,
      DAY_MS,
      'Wait behind the first attempt.',
      DEFAULT_RETRY_POLICY.initialMs,
    ).optional(),
    factor: z
      .number()
      .min(1)
      .max(100)
      .optional()
      .meta({ description: 'The factor by which each wait grows.', example: DEFAULT_RETRY_POLICY.factor }),
    capMs: durationField(0, DAY_MS, 'Longest wait.', DEFAULT_RETRY_POLICY.capMs).optional(),
  })
  .meta({
    id: 'RetryPolicyChange',
    description: 'How often and when it is tried again by itself; a member that is left out stays as it is.',
  });
const giveUpAfterMs = durationField(
  1_000,
  30 * DAY_MS,
  'How long a delivery is tried before it is given up.',
  DAY_MS,
);
const onAmbiguous = z.enum(ON_AMBIGUOUS).meta({
  description:
    'When nobody knows whether a request arrived: `resend` it with the same id, `probe` the endpoint for what became of it, or `hold` it until it is acknowledged or somebody decides.',
  example: 'resend',
});
const reconcileWithinMs = durationField(
  0,
  7 * DAY_MS,
  'How long an operation waits for an unknown outcome to be settled.',
  3_600_000,
);
const ratePerSecond = z
  .number()
  .min(0.01)
  .max(100_000)
  .meta({ description: 'Requests per second at most; no limit where null.', example: 50 });
const maxConcurrency = z
  .int()
  .min(1)
  .max(10_000)
  .meta({ description: 'Requests at a time at most; no limit where null.', example: 10 });

const probe = z
  .strictObject({
    urlTemplate: textField(
      2_048,
      'Where a GET says what became of a delivery, with `{deliveryId}` in the place of its id.',
      'https://example.com/hooks/status/{deliveryId}',
    ).refine(namesDelivery, {
      message: 'Expected `{deliveryId}` in the URL, not behind a `#`.',
      params: { code: 'wrong_format' },
    }),
    processedField: pathField(
      'Path of the member of the answer that is true where it was processed; 404 means that it was not received.',
      'processed',
    ),
  })
  .meta({ id: 'ProbeRequest', description: 'The status request behind `onAmbiguous: probe`.' });
const requireAck = z.boolean().meta({
  description: 'An answer 202 settles nothing: the delivery is unknown until it is acknowledged.',
  example: false,
});
const traceparent = z.boolean().meta({
  description:
    'Requests of attempts that Redrive traces carry the header `traceparent` (W3C Trace Context), which names their span; others carry none. Its ids are random.',
  example: false,
});
const ordered = z.boolean().meta({
  description:
    'Events of one key are sent in the order of their numbers, from the first event after this is switched on; other keys flow on.',
  example: false,
});
const onExhausted = z.enum(ON_EXHAUSTED).meta({
  description:
    'Where it is ordered: a delivery that failed for good keeps those of its key behind it waiting (`block`), or lets them pass (`skip`).',
  example: 'block',
});
const onRecovered = z.enum(ON_RECOVERED).meta({
  description:
    'When it is back after an outage: `propose` plans a retry of what it missed, `run` executes that plan, too, `none` does nothing (docs/outages.md).',
  example: 'propose',
});
const protect = z.boolean().meta({
  description:
    'While it is overloaded (429, 502 to 504, no answer in time) it is sent less at a time; after 20 failures to reach it in a row nothing for a while, and then one request alone. Switched off it is sent everything at once.',
  example: true,
});
const preset = z.string().max(40).meta({
  description:
    'Name of a surface: takes the policy that it documents for endpoints of its clients (docs/surfaces); members that are given with it win.',
  example: 'name-of-a-surface',
});
const partner = z
  .strictObject({
    direction: z.enum(PARTNER_DIRECTIONS).meta({ description: 'Which way files go.', example: 'OUTBOUND' }),
    senderProfile: textField(255, 'Name of the profile of the sender.', 'acme').optional(),
    partnerProfile: textField(255, 'Name of the profile of the partner.', 'payer').optional(),
    guides: z
      .array(typePattern)
      .min(1)
      .max(100)
      .optional()
      .meta({
        description: 'Types of event that there is a guide for; every type where left out.',
        example: ['invoice.*'],
      }),
    keyPath: pathField('Path in the payload of the business identifier.', 'invoice.number').optional(),
  })
  .meta({
    id: 'Partner',
    description:
      'The preparation of a file for a trading partner; a part that is missing fails the delivery without an attempt.',
  });

/** A signing secret that is given; never part of a version, for secrets rotate by themselves. */
export const secretField = z
  .string()
  .max(128)
  .refine((text) => parseSecret(text) !== undefined, {
    message: 'Expected `whsec_` and base64 of 24 to 64 bytes.',
    params: { code: 'wrong_format' },
  })
  .meta({ description: 'Signing secret (Standard Webhooks); made where left out.', example: 'whsec_…' });

const { retry: policy } = ENDPOINT_DEFAULTS;
const NEW_ENDPOINT_DESCRIPTION = `Defaults of members that are left out: timeoutMs ${ENDPOINT_DEFAULTS.timeoutMs}, retry ${policy.maxAttempts} attempts with waits of ${policy.initialMs} ms times ${policy.factor} up to ${policy.capMs} ms, giveUpAfterMs ${ENDPOINT_DEFAULTS.giveUpAfterMs}, onAmbiguous ${ENDPOINT_DEFAULTS.onAmbiguous}, reconcileWithinMs ${ENDPOINT_DEFAULTS.reconcileWithinMs}; every event, no limits, no headers; a secret and a handle are made.`;

/** The members of a new endpoint. */
export const NewEndpoint = z
  .strictObject({
    handle: handle.optional(),
    url,
    eventTypes: eventTypes.nullable().optional(),
    filter: filter.nullable().optional(),
    secret: secretField.optional(),
    ratePerSecond: ratePerSecond.nullable().optional(),
    maxConcurrency: maxConcurrency.nullable().optional(),
    timeoutMs: timeoutMs.optional(),
    retry: retry.optional(),
    onAmbiguous: onAmbiguous.optional(),
    reconcileWithinMs: reconcileWithinMs.optional(),
    giveUpAfterMs: giveUpAfterMs.optional(),
    headers: headers.nullable().optional(),
    protect: protect.optional(),
    ordered: ordered.optional(),
    onExhausted: onExhausted.optional(),
    onRecovered: onRecovered.optional(),
    probe: probe.nullable().optional(),
    requireAck: requireAck.optional(),
    traceparent: traceparent.optional(),
    preset: preset.nullable().optional(),
    partner: partner.nullable().optional(),
    caCertificate: caCertificate.nullable().optional(),
    clientCertificate: clientCertificate.nullable().optional(),
  })
  .meta({ id: 'NewEndpoint', description: NEW_ENDPOINT_DESCRIPTION });

/** The members of an endpoint that can change; each change makes a version. */
export const EndpointChange = NewEndpoint.omit({ handle: true, secret: true, url: true })
  .extend({ url: url.optional() })
  .refine((change) => Object.keys(change).length > 0, {
    message: 'Expected at least one member.',
    params: { code: 'required' },
  })
  .meta({
    id: 'EndpointChange',
    description:
      'A member that is left out stays as it is; null takes a limit, a filter or the headers away.',
  });

/** An endpoint as it is shown. */
export const EndpointView = z
  .strictObject({
    id: shownId('endpoint', 'Id of the endpoint.'),
    handle,
    luid: z.string().meta({
      description: 'Its other name, for callers that know endpoints as bridges.',
      example: '$brg.-0cL_Ii6_QQ57H9N7',
    }),
    state: z
      .enum(ENDPOINT_STATES)
      .meta({ description: 'Its state: it takes deliveries where it is `enabled`.', example: 'enabled' }),
    disabledReason: z
      .enum(['operator', 'gone'])
      .nullable()
      .meta({ description: 'Who disabled it: an operator, or its own answer 410.', example: null }),
    version: z.int().meta({ description: 'Its current version; each change makes one.', example: 1 }),
    url,
    eventTypes: eventTypes.nullable(),
    filter: z
      .looseObject({})
      .nullable()
      .meta({ description: 'Conditions on the payload.', example: { 'data.amount': { $gte: 100 } } }),
    timeoutMs,
    retry: z
      .strictObject({
        maxAttempts: z
          .int()
          .meta({ description: 'Attempts in all.', example: DEFAULT_RETRY_POLICY.maxAttempts }),
        initialMs: z.int().meta({
          description: 'Wait behind the first attempt, in milliseconds.',
          example: DEFAULT_RETRY_POLICY.initialMs,
        }),
        factor: z.number().meta({
          description: 'The factor by which each wait grows.',
          example: DEFAULT_RETRY_POLICY.factor,
        }),
        capMs: z
          .int()
          .meta({ description: 'Longest wait, in milliseconds.', example: DEFAULT_RETRY_POLICY.capMs }),
      })
      .meta({ description: 'How often and when it is tried again by itself.' }),
    giveUpAfterMs,
    onAmbiguous,
    reconcileWithinMs,
    ratePerSecond: ratePerSecond.nullable(),
    maxConcurrency: maxConcurrency.nullable(),
    headerNames: z.array(z.string()).meta({
      description: 'Names of the custom headers; their values are never shown.',
      example: ['x-api-key'],
    }),
    ...certificateViews,
    protect,
    ordered,
    onExhausted,
    onRecovered,
    circuit: z.enum(CIRCUIT_STATES).meta({
      description:
        '`open`: nothing is sent for a while; `half_open`: the next request is sent alone, to see.',
      example: 'closed',
    }),
    waitingFor: waitsField('The reasons why every delivery to it waits.'),
    probe: probe.nullable(),
    requireAck,
    traceparent,
    preset: preset.nullable(),
    partner: partner.nullable(),
    createdAt: shownTime('When it was made.'),
    updatedAt: shownTime('When it was last changed.'),
  })
  .meta({ id: 'Endpoint', description: 'Where deliveries go.' });

/** An endpoint as it is shown by itself. */
export const EndpointDetails = EndpointView.extend({
  waiting: z
    .strictObject({
      deliveries: z.int().meta({ description: 'How many, counted up to 100,000.', example: 720 }),
      more: z.boolean().meta({ description: 'There are more than that.', example: false }),
    })
    .meta({ description: 'Deliveries that are to be sent to it, now or later, and are not on the wire.' }),
  window: z.number().nullable().meta({
    description: 'Requests at a time that it bears at present; null where nothing narrows them.',
    example: 16,
  }),
  latency: z
    .strictObject({
      p50Ms: z.number().meta({ description: 'Half of them took no longer.', example: 42 }),
      p95Ms: z.number().meta({ description: 'Of twenty all but one took no longer.', example: 180 }),
      answers: z.int().meta({ description: 'How many answers that is.', example: 100 }),
    })
    .nullable()
    .meta({
      description: 'How long the answers to its newest 100 deliveries took; null where it gave none.',
    }),
}).meta({ id: 'EndpointDetails' });

/** An endpoint with its secret, which is shown on creation only. */
export const CreatedEndpoint = EndpointView.extend({
  secret: z
    .string()
    .meta({ description: 'The signing secret. It is shown now and never again.', example: 'whsec_…' }),
}).meta({ id: 'CreatedEndpoint' });

/** An endpoint that was just disabled, with the items that wait for it to be enabled. */
export const DisabledEndpoint = EndpointView.extend({
  waitingItems: z
    .array(
      z.strictObject({
        operationId: shownId('operation', 'The operation.'),
        items: z.int().meta({ description: 'Items of it that wait here.', example: 97 }),
      }),
    )
    .meta({ description: 'Items that operations had queued or scheduled there; they wait for `enable`.' }),
}).meta({ id: 'DisabledEndpoint' });

/** The answer to a rotation. */
export const RotatedSecret = z
  .strictObject({
    secret: z
      .string()
      .meta({ description: 'The new signing secret. It is shown now and never again.', example: 'whsec_…' }),
    previousValidUntil: shownTime('Until then requests are signed with the old secret, too.').nullable(),
  })
  .meta({ id: 'RotatedSecret' });
