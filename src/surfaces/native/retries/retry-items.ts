import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import type { Turns } from '../../../api/limits/turns.ts';
import { isProblem, problem } from '../../../api/problems/problem.ts';
import type { StreamOutput } from '../../../api/reply.ts';
import { readCursor, writeCursor } from '../../../api/requests/cursor.ts';
import { type Route, route } from '../../../api/route.ts';
import { canonicalJson } from '../../../domain/json/canonical-json.ts';
import { EXECUTION_STATES } from '../../../domain/sending/execution-state.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';
import { LINES_OF_CHUNK } from '../../../proof/chunk-lines.ts';
import { pageClosedLines } from '../../../proof/closed-ledger.ts';
import { pageOperationItems } from '../../../store/operations/operation-items.ts';
import { findOperation } from '../../../store/operations/operations.ts';
import { findSeal } from '../../../store/proof/closure-reports.ts';
import { linesAreGone } from '../../../store/proof/ledger-retention.ts';
import { idParams } from '../fields.ts';
import { listParameter, MAX_PAGE, pageOf, pageParameters } from '../page.ts';
import { ItemView, itemView } from './item-view.ts';

const NDJSON = 'application/x-ndjson';
const ITEM_STATES = [...EXECUTION_STATES, 'excluded'] as const;
/** As the ledger writes it: where it stands, among items or exclusions. */
const POSITION_FORM = /^[ix]:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

interface Page {
  state?: (typeof ITEM_STATES)[number][];
  after?: string;
  limit: number;
}

/** Lines as their canonical JSON (RFC 8785), in which a closed ledger is hashed. */
interface Lines {
  lines: string[];
  next?: string;
}

/** The ledger of an operation, item by item; `inTurn` are the turns of exports. */
export function retryItemRoutes({ pool }: ApiDeps, inTurn: Turns): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/retries/{id}/items',
      summary: "List an operation's items and exclusions",
      description: `Once the operation has closed, its lines are served as they were hashed for its report: what was settled since is in the addenda, and in \`as=now\`. With \`Accept: ${NDJSON}\` all of them are streamed, one JSON object a line, however many there are; \`limit\` does not apply then. A stream that ends early is cut off without its last chunk.`,
      tag: 'Retries',
      access: { of: 'tenant', scope: 'read:deliveries' },
      request: {
        params: idParams('operation', 'Id of the operation.'),
        query: z.strictObject({
          state: listParameter(
            z.enum(ITEM_STATES).meta({ description: 'A state of items, or `excluded`.', example: 'failed' }),
            'States; all where left out.',
          ),
          as: z.literal('now').optional().meta({
            description: 'The items as they are now, also where the operation has closed.',
            example: 'now',
          }),
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
      problems: ['invalid_cursor', 'pruned'],
      async handler({ params: { id }, query: { state, as, limit, cursor }, header, tenant }) {
        const listed = ['items', tenant.id, id, state ?? null, as ?? null];
        const position = cursor === undefined ? undefined : readCursor(listed, cursor, [POSITION_FORM]);
        if (position && isProblem(position)) return position;
        if (!(await findOperation(pool, tenant.id, id))) return problem('not_found');
        const seal = as === undefined ? await findSeal(pool, tenant.id, id) : undefined;
        if (seal && (await linesAreGone(pool, id, seal))) return problem('pruned');
        const read = seal ? closedLines : presentLines;
        const from = { ...(state ? { state } : {}), ...(position ? { after: position[0] } : {}) };
        if (header('accept')?.includes(NDJSON))
          return {
            status: 200,
            contentType: NDJSON,
            kind: 'export',
            stream: (output) => streamLines(output, read, id, from),
          };
        const { lines, next } = await read(id, { ...from, limit });
        const nextCursor = JSON.stringify(next === undefined ? null : writeCursor(listed, [next]));
        return { status: 200, json: `{"items":[${lines.join(',')}],"nextCursor":${nextCursor}}` };
      },
    }),
  ];

  function closedLines(operationId: Id<'operation'>, page: Page): Promise<Lines> {
    return pageClosedLines(pool, operationId, page);
  }

  async function presentLines(operationId: Id<'operation'>, page: Page): Promise<Lines> {
    const { items, next } = await pageOperationItems(pool, operationId, page);
    return {
      lines: items.map((item) => canonicalJson(itemView(item))),
      ...(next === undefined ? {} : { next }),
    };
  }

  /** One page is in memory at a time, and the next is read when the peer has taken it and its turn has come. */
  async function streamLines(
    output: StreamOutput,
    read: typeof closedLines,
    operationId: Id<'operation'>,
    from: Omit<Page, 'limit'>,
  ): Promise<void> {
    let { after } = from;
    do {
      if (output.ended.aborted) return;
      const { text, next } = await inTurn(async () => {
        const page = await read(operationId, {
          ...from,
          ...(after === undefined ? {} : { after }),
          limit: read === closedLines ? LINES_OF_CHUNK : MAX_PAGE,
        });
        return { text: page.lines.map((line) => `${line}\n`).join(''), next: page.next };
      });
      if (text !== '' && !(await output.write(text))) return;
      after = next;
    } while (after !== undefined);
  }
}
