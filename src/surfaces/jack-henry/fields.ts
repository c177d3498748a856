import { z } from 'zod';
import { type Problem, problem } from '../../api/problems/problem.ts';
import type { EventSelection } from '../../domain/operations/selection.ts';
import { type Id, type IdKind, readId } from '../../domain/tenancy/typed-id.ts';
import { timeField } from '../native/fields.ts';

/** Where everything of this surface is. */
export const PREFIX = '/a/api/enterprise-event/v1';

/** As the document writes them: any hexadecimal digits, of any version of uuid. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Postgres can keep neither a NUL nor half a surrogate pair, and names have a limit: nothing is called so. */
const UNSTORABLE = /\0|\p{Surrogate}/u;
const MAX_NAME = 255;
/** A number as it is shown: in this spelling only. */
const EVENT_NUMBER = /^[1-9]\d{0,17}$/;

/** Reads a uuid in either case; undefined where it is none. */
export function readUuid<Kind extends IdKind>(kind: Kind, text: string): Id<Kind> | undefined {
  return UUID.test(text.toLowerCase()) ? readId(kind, text) : undefined;
}

/** Why a parameter of the path is refused. */
export function refusedParameter(name: string): Problem {
  return problem('invalid_request', {
    errors: [{ parameter: name, code: 'wrong_format', message: 'Expected a uuid.' }],
  });
}

const pathId = <Kind extends IdKind>(kind: Kind, what: string, example: string) =>
  z
    .string()
    .transform((text) => readUuid(kind, text))
    .meta({ type: 'string', format: 'uuid', description: `${what} unique identifier.`, example });

/**
 * The ids of paths; a text that is no uuid is refused by {@link idsOf} with an error of its own, and not as unknown.
 */
export const PATH_IDS = {
  institutionId: pathId('tenant', 'Institution', '12345678-1234-1234-1234-123456789012'),
  subscriptionId: pathId('endpoint', 'Subscription', '87654321-4321-4321-4321-210987654321'),
  eventId: pathId('event', 'Event', '11111111-2222-3333-4444-555555555555'),
};

/** The ids of a path, or which of them is no uuid. */
export function idsOf<Params extends Record<string, string | undefined>>(
  params: Params,
): { [Name in keyof Params]: NonNullable<Params[Name]> } | Problem {
  const wrong = Object.entries(params).find(([, id]) => id === undefined);
  return wrong
    ? refusedParameter(wrong[0])
    : (params as { [Name in keyof Params]: NonNullable<Params[Name]> });
}

const texts = (description: string, example: string[]) =>
  z.array(z.string()).optional().meta({ description, example });

/** The members by which every request selects events. */
export const EVENT_MEMBERS = {
  eventId: texts('Filter by specific event IDs', ['550e8400-e29b-41d4-a716-446655440000']),
  eventNum: texts('Filter by event numbers', ['1001', '1002', '2000']),
  fromTime: timeField('Start of time range filter (inclusive)').optional(),
  toTime: timeField('End of time range filter (inclusive)').optional(),
};

/** The members that select by batches: those in which events came, and those in which they were sent. */
export const BATCH_MEMBERS = {
  ingestionBatchId: texts('Filter by ingestion batch IDs', ['ingestion-batch-001']),
  dispatchBatchId: texts('Filter by dispatch batch IDs', ['batch-001', 'batch-002']),
};

type Times = { fromTime?: string | undefined; toTime?: string | undefined };

/** A range that ends before it begins selects nothing and is always a mistake. */
export function refuseReversedRange({ fromTime, toTime }: Times, context: z.RefinementCtx): void {
  if (fromTime === undefined || toTime === undefined || Date.parse(fromTime) <= Date.parse(toTime)) return;
  context.addIssue({
    code: 'custom',
    path: ['toTime'],
    message: 'Expected a time that is not before fromTime.',
    params: { code: 'out_of_range' },
  });
}

/** The uuids among these texts, each once: a text that is none is the id of nothing. */
export function uuidsIn<Kind extends IdKind>(kind: Kind, listed: readonly string[]): Id<Kind>[] {
  return [...new Set(listed.flatMap((text) => readUuid(kind, text) ?? []))];
}

/** The texts that something can be called. */
export function namesIn(listed: readonly string[]): string[] {
  return [...new Set(listed.filter((text) => text.length <= MAX_NAME && !UNSTORABLE.test(text)))];
}

type EventMembers = Times & {
  eventId?: string[] | undefined;
  eventNum?: string[] | undefined;
  ingestionBatchId?: string[] | undefined;
  eventSource?: string | undefined;
};

/** The events that these members select; each member that is absent selects all, an empty list none. */
export function selectedEvents(members: EventMembers): EventSelection {
  const { eventId, eventNum, ingestionBatchId, eventSource, fromTime, toTime } = members;
  return {
    ...(eventId ? { eventIds: uuidsIn('event', eventId) } : {}),
    ...(eventNum ? { eventNumbers: [...new Set(eventNum.filter((text) => EVENT_NUMBER.test(text)))] } : {}),
    ...(ingestionBatchId ? { ingestionBatchIds: namesIn(ingestionBatchId) } : {}),
    ...(eventSource === undefined ? {} : { sources: namesIn([eventSource]) }),
    ...(fromTime === undefined ? {} : { from: { at: fromTime, inclusive: true } }),
    ...(toTime === undefined ? {} : { to: { at: toTime, inclusive: true } }),
  };
}
