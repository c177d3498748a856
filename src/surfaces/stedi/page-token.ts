import { z } from 'zod';
import { isProblem, type Problem } from '../../api/problems/problem.ts';
import { idForm, MICROS_FORM, readCursor, writeCursor } from '../../api/requests/cursor.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { countParameter, MAX_PAGE } from '../native/page.ts';
import { invalidParameter } from './stedi-error.ts';

/** In the place of a time in tokens: the page ended among executions that have not ended. */
const OPEN = 'open';
const TIME_OR_OPEN = new RegExp(`${MICROS_FORM.source}|^${OPEN}$`);

/** A place in a list: an execution, and when it ended; without a time it has not. */
export interface ListPlace {
  processedAtMicros?: string;
  id: Id<'execution'>;
}

/** Parameters of pages. */
export const pageParameters = {
  pageSize: countParameter(1, MAX_PAGE, 100, 'Executions of the page at most.'),
  pageToken: z.string().min(1).max(1_024).optional().meta({
    description: '`nextPageToken` of the page before; it does not expire.',
    example: 'WyI1dW1…',
  }),
};

/** The token of a place; opaque, bound to the list and its filter, and good for ever, for it holds only the place. */
export function writePageToken(listed: unknown, { processedAtMicros, id }: ListPlace): string {
  return writeCursor(listed, [processedAtMicros ?? OPEN, id]);
}

/** The place of a token, or why it is refused. */
export function readPageToken(listed: unknown, token: string): ListPlace | Problem {
  const position = readCursor(listed, token, [TIME_OR_OPEN, idForm('execution')]);
  if (isProblem(position))
    return invalidParameter('pageToken', 'Expected the token of a page of this list and filter.');
  const [time, id] = position;
  return time === OPEN ? { id } : { processedAtMicros: time, id };
}
