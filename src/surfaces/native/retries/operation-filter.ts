import { z } from 'zod';
import { OPERATION_STATES } from '../../../domain/operations/operation-state.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';
import type { OperationFilter } from '../../../store/operations/operations.ts';
import { actorField, actorsMeant } from '../actors.ts';
import { textField, timeField } from '../fields.ts';
import { nameField } from '../names.ts';
import { listParameter } from '../page.ts';

/** The filter over operations in a query. */
export const operationFilterParameters = {
  state: listParameter(
    z.enum(OPERATION_STATES).meta({ description: 'A state of operations.', example: 'running' }),
    'States; all where left out.',
  ),
  kind: z
    .enum(['retry', 'replay'])
    .optional()
    .meta({ description: 'Only retries, or only replays.', example: 'retry' }),
  actor: listParameter(actorField, 'Only operations that one of these asked for.'),
  endpointIds: listParameter(
    nameField('endpoint', 'An endpoint, by id or handle.'),
    'Only operations with items for one of these endpoints.',
  ),
  from: timeField('Accepted at this time or later.').optional(),
  to: timeField('Accepted before this time.').optional(),
  text: textField(200, 'A part of the reason or the ticket, in upper or lower case.', 'OPS-42').optional(),
};

type Asked = {
  [Name in keyof typeof operationFilterParameters]?: z.output<(typeof operationFilterParameters)[Name]>;
};

/** The filter of the store. */
export function operationFilter({
  state,
  kind,
  actor,
  endpointIds,
  from,
  to,
  text,
}: Omit<Asked, 'endpointIds'> & { endpointIds?: Id<'endpoint'>[] }): OperationFilter {
  return {
    ...(state ? { state } : {}),
    ...(kind ? { kind } : {}),
    ...(actor ? { actors: actorsMeant(actor) } : {}),
    ...(endpointIds ? { endpointIds } : {}),
    ...(from === undefined ? {} : { from: { at: from, inclusive: true } }),
    ...(to === undefined ? {} : { to: { at: to, inclusive: false } }),
    ...(text === undefined ? {} : { text }),
  };
}
