import { z } from 'zod';
import { isProblem, type Problem, problem } from '../../../api/problems/problem.ts';
import { pointerTo } from '../../../api/problems/validation.ts';
import { sentTypeFault } from '../../../domain/endpoints/event-type.ts';
import { FORMATS } from '../../../domain/imports/formats/formats.ts';
import { MAX_TARGETS } from '../../../domain/imports/import-limits.ts';
import { ANY_ENDPOINT } from '../../../domain/imports/import-record.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';
import type { AskedImport } from '../../../ingest/imports/open-import.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import { endpointStates } from '../../../store/imports/targets.ts';
import { textField } from '../fields.ts';
import { nameField, resolveNames, unknownNames } from '../names.ts';
import { FormatField } from './import-view.ts';

/** The opening of an import. */
export const NewImport = z
  .strictObject({
    from: FormatField,
    map: z
      .record(
        textField(255, 'An endpoint as the lines name it.', 'ep_2bX'),
        nameField('endpoint', 'The endpoint here that it stands for, by id or handle.'),
      )
      .refine((map) => Object.keys(map).length >= 1 && Object.keys(map).length <= MAX_TARGETS, {
        message: `Expected 1 to ${MAX_TARGETS} names of endpoints.`,
        params: { code: 'out_of_range' },
      })
      .meta({
        description:
          'The endpoints of this tenant that the endpoints of the other system stand for. Lines of any other endpoint are refused. Where lines name no endpoint (`sqs`, `stripe`) the only name is `*`.',
        example: { ep_2bX: 'warehouse' },
      }),
    keepIds: z.boolean().default(false).meta({
      description:
        'Sends the id of the other system as `webhook-id`, so that receivers know what they have had. Ids with a full stop or a character that headers do not carry are refused.',
      example: true,
    }),
    eventType: textField(255, 'The type of events whose lines name none.', 'order.created')
      .superRefine((type, context) => {
        const message = sentTypeFault(type);
        if (message !== undefined)
          context.addIssue({ code: 'custom', message, params: { code: 'wrong_format' } });
      })
      .optional(),
    source: textField(
      255,
      'The source of events whose lines name none; the name of the format where left out.',
      'svix',
    ).optional(),
    ingestionBatchId: textField(
      255,
      'Your name for the batch; the id of the import where left out.',
      'from-svix',
    ).optional(),
  })
  .meta({ id: 'NewImport' });

/** The import that is asked for, with ids in the place of names, or why there is none. */
export async function askedImport(
  db: Queryable,
  tenantId: Id<'tenant'>,
  { from, map, source, ...body }: z.output<typeof NewImport>,
): Promise<AskedImport | Problem> {
  const theirs = Object.keys(map);
  const { namesEndpoints, source: standard } = FORMATS[from];
  const misnamed = theirs.filter((name) => (name === ANY_ENDPOINT) === namesEndpoints);
  if (misnamed.length > 0)
    return problem('invalid_request', {
      errors: misnamed.map((name) => ({
        pointer: pointerTo(['map', name]),
        code: 'wrong_format',
        message: namesEndpoints
          ? 'Lines of this format name their endpoints: name each of them.'
          : `Lines of this format name no endpoint: the only name is \`${ANY_ENDPOINT}\`.`,
      })),
    });
  const targets = await targetsOf(db, tenantId, map);
  if (isProblem(targets)) return targets;
  const named = source ?? standard;
  return {
    format: from,
    keepIds: body.keepIds,
    targets,
    ...(body.eventType === undefined ? {} : { eventType: body.eventType }),
    ...(named === undefined ? {} : { source: named }),
    ...(body.ingestionBatchId === undefined ? {} : { ingestionBatchId: body.ingestionBatchId }),
  };
}

async function targetsOf(
  db: Queryable,
  tenantId: Id<'tenant'>,
  map: Record<string, string>,
): Promise<AskedImport['targets'] | Problem> {
  const entries = Object.entries(map);
  const found = await resolveNames(
    db,
    tenantId,
    'endpoint',
    entries.map(([, name]) => name),
  );
  const targets = entries.map(([theirs, name]) => ({ theirs, endpointId: found.get(name)?.[0] }));
  const states = await endpointStates(
    db,
    tenantId,
    targets.flatMap(({ endpointId }) => endpointId ?? []),
  );
  const known = targets.flatMap(({ theirs, endpointId }) =>
    endpointId && states.get(endpointId) !== 'deleted' ? [{ theirs, endpointId }] : [],
  );
  if (known.length === targets.length) return known;
  const names = new Set(known.map(({ theirs }) => theirs));
  return unknownNames(
    targets
      .filter(({ theirs }) => !names.has(theirs))
      .map(({ theirs }) => ({ pointer: pointerTo(['map', theirs]) })),
  );
}
