import { z } from 'zod';
import { IMPORT_FORMATS } from '../../../domain/imports/import-record.ts';
import { IMPORT_STATES } from '../../../domain/imports/import-state.ts';
import { DUPLICATES, lineWords, REFUSALS } from '../../../domain/imports/line-words.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { type ImportLine, LINE_RESULTS } from '../../../store/imports/import-lines.ts';
import type { Import } from '../../../store/imports/imports.ts';
import { shownId, shownTime } from '../fields.ts';

const count = (description: string) => z.int().min(0).meta({ description, example: 0 });

/** The formats, as a member names one. */
export const FormatField = z.enum(IMPORT_FORMATS).meta({
  description:
    'What the lines are: `ndjson` Redrive’s own format, `svix` messages and attempts, `hookdeck` events, `convoy` event deliveries, `sqs` messages of a dead-letter queue, `stripe` events.',
  example: 'svix',
});

/** An import as it is shown. */
export const ImportView = z
  .strictObject({
    id: shownId('import', 'Id of the import.'),
    from: FormatField,
    state: z.enum(IMPORT_STATES).meta({
      description:
        '`open` while it takes lines; `closed`, `abandoned` or, where nobody has gone on with it for a day, `expired`. What it took stays in any case.',
      example: 'open',
    }),
    nextLine: z
      .int()
      .min(1)
      .meta({ description: 'The line of the file to go on with, counted from 1.', example: 1 }),
    lines: count('Lines that were taken: the sum of the four that follow.'),
    accepted: count('Lines that made a delivery or an event, or added an attempt to one.'),
    duplicates: count('Lines that changed nothing, for their content is known.'),
    refused: count('Lines that were not taken; the report says why.'),
    blank: count('Lines with nothing in them.'),
    bytes: count('Length of these lines in bytes.'),
    map: z
      .array(
        z.strictObject({
          theirs: z.string().meta({ description: 'An endpoint as the lines name it.', example: 'ep_2bX' }),
          endpointId: shownId('endpoint', 'The endpoint that it stands for.'),
        }),
      )
      .meta({ description: 'The endpoints that its deliveries are for.' }),
    keepIds: z.boolean().meta({
      description: 'The id of the other system is sent as `webhook-id`.',
      example: true,
    }),
    eventType: z
      .string()
      .nullable()
      .meta({ description: 'Type of events whose lines name none.', example: null }),
    source: z
      .string()
      .nullable()
      .meta({ description: 'Source of its events, unless a line names another one.', example: 'svix' }),
    ingestionBatchId: z.string().meta({
      description: 'Name of the batch that its events belong to: plans and lists select by it.',
      example: 'imp_01k9z3e5hbe7r9qk2m4n6p8r0s',
    }),
    openedBy: z.string().meta({ description: 'Who opened it.', example: 'key_01k9z3e5hbe7r9qk2m4n6p8r0s' }),
    openedAt: shownTime('When it was opened.'),
    expiresAt: shownTime('When it ends by itself unless lines come before.'),
    endedAt: shownTime('When it ended.').nullable(),
    linesRemoved: z
      .boolean()
      .meta({ description: 'The report is gone: it is kept for 30 days.', example: false }),
    links: z
      .strictObject({
        self: z.string().meta({ description: 'This import.', example: '/api/v1/imports/imp_…' }),
        lines: z
          .string()
          .meta({ description: 'To send lines, and its report.', example: '/api/v1/imports/imp_…/lines' }),
        close: z.string().meta({ description: 'To close it.', example: '/api/v1/imports/imp_…/close' }),
      })
      .meta({ description: 'Where to go on.' }),
  })
  .meta({ id: 'Import', description: 'Failures of another system, and how far they have been taken.' });

/** A line of the report of an import. */
export const ImportLineView = z
  .strictObject({
    line: z.int().min(1).meta({ description: 'Number of the line in the file.', example: 17 }),
    result: z.enum(LINE_RESULTS).meta({ description: 'The fate of the line.', example: 'refused' }),
    reason: z
      .enum([...Object.keys(REFUSALS), ...Object.keys(DUPLICATES)] as [string, ...string[]])
      .nullable()
      .meta({ description: 'Why it was not taken; null where it was.', example: 'missing' }),
    why: z.string().nullable().meta({
      description: 'The same as a sentence.',
      example: 'A member is missing that the format needs.',
    }),
    member: z
      .string()
      .nullable()
      .meta({ description: 'The member that it is about.', example: 'attempts.0.at' }),
    theirs: z
      .string()
      .nullable()
      .meta({ description: 'The endpoint that nothing stands for.', example: null }),
    eventId: shownId('event', 'The event that it made, or that was known.').nullable(),
    deliveryId: shownId('delivery', 'The delivery that it made, or that was known.').nullable(),
  })
  .meta({ id: 'ImportLine', description: 'The fate of one line of an import.' });

/** Shows an import. */
export function importView(found: Import): z.input<typeof ImportView> {
  const self = `/api/v1/imports/${showId('import', found.id)}`;
  return {
    id: showId('import', found.id),
    from: found.format,
    state: found.state,
    nextLine: found.lines + 1,
    lines: found.lines,
    accepted: found.accepted,
    duplicates: found.duplicates,
    refused: found.refused,
    blank: found.blank,
    bytes: found.bytes,
    map: found.targets.map(({ theirs, endpointId }) => ({
      theirs,
      endpointId: showId('endpoint', endpointId),
    })),
    keepIds: found.keepIds,
    eventType: found.eventType ?? null,
    source: found.source ?? null,
    ingestionBatchId: found.ingestionBatchId,
    openedBy: found.openedBy,
    openedAt: found.openedAt.toISOString(),
    expiresAt: found.expiresAt.toISOString(),
    endedAt: found.endedAt?.toISOString() ?? null,
    linesRemoved: found.linesRemoved,
    links: { self, lines: `${self}/lines`, close: `${self}/close` },
  };
}

/** Shows a line of a report. */
export function importLineView(line: ImportLine): z.input<typeof ImportLineView> {
  return {
    line: line.line,
    result: line.result,
    reason: line.reason ?? null,
    why: line.reason === undefined ? null : (lineWords(line.reason) ?? null),
    member: line.member ?? null,
    theirs: line.theirs ?? null,
    eventId: line.eventId ? showId('event', line.eventId) : null,
    deliveryId: line.deliveryId ? showId('delivery', line.deliveryId) : null,
  };
}
