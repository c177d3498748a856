import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import type { Turns } from '../../../api/limits/turns.ts';
import { isProblem, problem } from '../../../api/problems/problem.ts';
import type { StreamOutput } from '../../../api/reply.ts';
import { readCursor, writeCursor } from '../../../api/requests/cursor.ts';
import { type Route, route } from '../../../api/route.ts';
import { EXECUTION_STATES } from '../../../domain/sending/execution-state.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';
import { pageOperationItems } from '../../../store/operations/operation-items.ts';
import { findOperation } from '../../../store/operations/operations.ts';
import { idParams } from '../fields.ts';
import { listParameter, MAX_PAGE, pageOf, pageParameters } from '../page.ts';
import { ItemView, itemView } from './item-view.ts';

const NDJSON = 'application/x-ndjson';
const ITEM_STATES = [...EXECUTION_STATES, 'excluded'] as const;
/** As the ledger writes it: where it stands, among items or exclusions. */
const POSITION_FORM = /^[ix]:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The ledger of an operation, item by item; `inTurn` are the turns of exports. */
export function retryItemRoutes({ pool }: ApiDeps, inTurn: Turns): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/retries/{id}/items',
      summary: "List an operation's items and exclusions",
      description: `With \`Accept: ${NDJSON}\` all of them are streamed, one JSON object a line, however many there are; \`limit\` does not apply then. A stream that ends early is cut off without its last chunk.`,
      tag: 'Retries',
      access: { of: 'tenant', scope: 'read:deliveries' },
      request: {
        params: idParams('operation', 'Id of the operation.'),
        query: z.strictObject({
          state: listParameter(
            z.enum(ITEM_STATES).meta({ description: 'A state of items, or `excluded`.', example: 'failed' }),
            'States; all where left out.',
          ),
          ...pageParameters,
        }),
      },
      responses: {
        200: {
          description: 'A page of items, or all of them.',
          schema: pageOf(ItemView),
          alternatives: { [NDJSON]: ItemView },
        },
      },
      problems: ['invalid_cursor'],
      async handler({ params: { id }, query: { state, limit, cursor }, header, tenant }) {
        const listed = ['items', tenant.id, id, state ?? null];
        const position = cursor === undefined ? undefined : readCursor(listed, cursor, [POSITION_FORM]);
        if (position && isProblem(position)) return position;
        if (!(await findOperation(pool, tenant.id, id))) return problem('not_found');
        const from = { ...(state ? { state } : {}), ...(position ? { after: position[0] } : {}) };
        if (header('accept')?.includes(NDJSON))
          return {
            status: 200,
            contentType: NDJSON,
            kind: 'export',
            stream: (output) => streamItems(output, id, from),
          };
        const { items, next } = await pageOperationItems(pool, id, { ...from, limit });
        return {
          status: 200,
          body: {
            items: items.map(itemView),
            nextCursor: next === undefined ? null : writeCursor(listed, [next]),
          },
        };
      },
    }),
  ];

  /** One page is in memory at a time, and the next is read when the peer has taken it and its turn has come. */
  async function streamItems(
    output: StreamOutput,
    operationId: Id<'operation'>,
    from: { state?: (typeof ITEM_STATES)[number][]; after?: string },
  ): Promise<void> {
    let after = from.after;
    do {
      if (output.ended.aborted) return;
      const { lines, next } = await inTurn(async () => {
        const page = await pageOperationItems(pool, operationId, {
          ...(from.state ? { state: from.state } : {}),
          ...(after === undefined ? {} : { after }),
          limit: MAX_PAGE,
        });
        return {
          lines: page.items.map((item) => `${JSON.stringify(itemView(item))}\n`).join(''),
          next: page.next,
        };
      });
      if (lines !== '' && !(await output.write(lines))) return;
      after = next;
    } while (after !== undefined);
  }
}
