import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { createTurns } from '../../../api/limits/turns.ts';
import { problem } from '../../../api/problems/problem.ts';
import type { StreamOutput } from '../../../api/reply.ts';
import { type Route, route } from '../../../api/route.ts';
import type { Operation } from '../../../domain/operations/operation.ts';
import { hasEnded, OPERATION_ENDS } from '../../../domain/operations/operation-state.ts';
import { type Id, showId } from '../../../domain/tenancy/typed-id.ts';
import { addendumTo } from '../../../store/operations/addenda.ts';
import { findOperation } from '../../../store/operations/operations.ts';
import { withWaits } from '../../../store/reading/waits.ts';
import { idParams, shownId, shownTime } from '../fields.ts';
import { OPERATION_DETAILS, operationDetails } from './operation-details.ts';
import {
  OperationSummary,
  OperationView,
  operationSummary,
  RemainderView,
  remainderView,
  selectionView,
} from './operation-view.ts';
import { fingerprintOf, OperationWatch } from './operation-watch.ts';
import type { ProgressRate } from './progress-rate.ts';

/** Proxies give up on connections on which nothing moves, commonly after a minute. */
const HEARTBEAT_MS = 15_000;
/** Operations that are looked at at a time, of all that are followed in a process: others want connections, too. */
const LOOKS_AT_ONCE = 4;

const Report = z
  .strictObject({
    operationId: shownId('operation', 'The operation.'),
    state: z.enum(OPERATION_ENDS).meta({ description: 'How it ended.', example: 'completed' }),
    createdAt: shownTime('When it was accepted.'),
    closedAt: shownTime('When it ended.'),
    counts: OperationSummary.shape.counts,
    mayHaveArrived: z.int().meta({ description: 'Failed although an attempt may have arrived.', example: 0 }),
    exclusions: z
      .record(z.string(), z.int())
      .meta({ description: 'Exclusions by reason.', example: { already_delivered: 3 } }),
    kind: OperationSummary.shape.kind,
    target: OperationSummary.shape.target,
    select: OperationView.shape.select,
    options: OperationSummary.shape.options,
    reason: OperationSummary.shape.reason,
    ticket: OperationSummary.shape.ticket,
    requestedBy: OperationSummary.shape.requestedBy,
    ...OPERATION_DETAILS,
    remainder: RemainderView.nullable().meta({
      description:
        'The selected deliveries that were not delivered when it closed; null in reports that are older than this member. `{"select": {"remainderOf": …}}` takes all of them.',
    }),
    addendum: z.record(z.string(), z.int()).meta({
      description:
        'By how much each count differs now, because an acknowledgement, a status request or an operator settled items after it had closed. Empty where none was settled.',
      example: { unknown: -2, delivered: 2 },
    }),
    attempts: z.int().meta({ description: 'HTTP requests in all.', example: 100 }),
    firstAttemptAt: z
      .string()
      .nullable()
      .meta({ description: 'When the first request began.', example: '2026-11-03T02:00:00.000Z' }),
    lastAttemptAt: z
      .string()
      .nullable()
      .meta({ description: 'When the last request began.', example: '2026-11-03T02:10:00.000Z' }),
  })
  .meta({
    id: 'ClosureReport',
    description: 'The result of an operation, frozen when it closed; its counts add up.',
  });

/** An operation's progress as it happens, and its result. */
export function retryProgressRoutes({ pool }: ApiDeps, rate: ProgressRate): Route[] {
  const inTurn = createTurns(LOOKS_AT_ONCE);
  const watch = new OperationWatch((tenantId, id) =>
    inTurn(async () => {
      const operation = await findOperation(pool, tenantId, id);
      return operation && (await withWaits(pool, [operation]))[0];
    }),
  );
  const common = { tag: 'Retries', access: { of: 'tenant', scope: 'read:deliveries' } } as const;
  const params = idParams('operation', 'Id of the operation.');
  return [
    route({
      ...common,
      method: 'get',
      path: '/api/v1/retries/{id}/stream',
      summary: "Follow an operation's progress (server-sent events)",
      description:
        'Sends an event `progress` with the whole operation, but for its selection, now and after each change; at the end an event `closed`, which is the last. Comments in between keep the connection open. Each event has an id: with the last one in `Last-Event-ID` a stream that was cut begins with the events that are new, and one that had ended is answered 204. It ends when its credential does. 20 go on at a time for a credential and 200 for a tenant; a further one is `rate_limited`.',
      request: { params },
      headers: {
        'Last-Event-ID': { description: 'Id of the last event that was received.', example: 'q1Zk0Xh2bT5c' },
      },
      responses: {
        200: { description: 'The stream.', schema: z.string(), contentType: 'text/event-stream' },
        204: { description: 'Nothing will follow the event that `Last-Event-ID` names.' },
      },
      async handler({ params: { id }, tenant, header }) {
        const operation = await findOperation(pool, tenant.id, id);
        if (!operation) return problem('not_found');
        const lastSeen = header('last-event-id');
        if (hasEnded(operation.state) && lastSeen === closedId(operation)) return { status: 204 };
        return {
          status: 200,
          kind: 'events',
          contentType: 'text/event-stream',
          // nginx would keep events back until its buffer is full.
          headers: { 'x-accel-buffering': 'no' },
          stream: (output) => follow(output, tenant.id, id, lastSeen),
        };
      },
    }),
    route({
      ...common,
      method: 'get',
      path: '/api/v1/retries/{id}/report',
      summary: "Show an operation's closure report",
      request: { params },
      responses: { 200: { description: 'The report.', schema: Report } },
      problems: ['state_conflict'],
      async handler({ params: { id }, tenant }) {
        const operation = await findOperation(pool, tenant.id, id);
        if (!operation) return problem('not_found');
        const closed = operation.report?.counts;
        const addendum = closed ? await addendumTo(pool, tenant.id, id, closed) : {};
        const report = reportView(operation, addendum);
        return report
          ? { status: 200, body: { ...report, ...(await operationDetails(pool, operation)) } }
          : problem('state_conflict', {
              detail: `The operation is \`${operation.state}\`: its report is written when it ends.`,
            });
      },
    }),
  ];

  async function follow(
    output: StreamOutput,
    tenantId: Id<'tenant'>,
    id: Id<'operation'>,
    lastSeen: string | undefined,
  ): Promise<void> {
    let writing = 0;
    const write = async (text: string) => {
      writing += 1;
      const taken = await output.write(text);
      writing -= 1;
      return taken;
    };
    const heartbeat = setInterval(() => {
      // A peer that has not taken the last one yet needs no further one.
      if (writing === 0) void write(': still here\n\n');
    }, HEARTBEAT_MS);
    try {
      await write('retry: 2000\n\n');
      for await (const operation of watch.changes(tenantId, id, output.ended)) {
        const data = JSON.stringify(operationSummary(operation, rate.observe(operation, performance.now())));
        const ended = hasEnded(operation.state);
        const events = [
          { id: revisionOf(operation), event: 'progress' },
          ...(ended ? [{ id: closedId(operation), event: 'closed' }] : []),
        ];
        // Events that were seen before a gap are not sent again; where that cannot be told, all are.
        const unseen = events.slice(events.findIndex((each) => each.id === lastSeen) + 1);
        const text = unseen.map((each) => `event: ${each.event}\ndata: ${data}\nid: ${each.id}\n\n`).join('');
        if ((text !== '' && !(await write(text))) || ended) return;
      }
    } finally {
      clearInterval(heartbeat);
    }
  }
}

/** Names a state of an operation, in every process alike. */
function revisionOf(operation: Operation): string {
  return createHash('sha256').update(fingerprintOf(operation)).digest('base64url').slice(0, 12);
}

function closedId(operation: Operation): string {
  return `${revisionOf(operation)}-closed`;
}

function reportView(
  operation: Operation,
  addendum: Partial<Record<string, number>>,
): Omit<z.input<typeof Report>, keyof typeof OPERATION_DETAILS> | undefined {
  const { report, closedAt, state } = operation;
  if (!report || !closedAt || !hasEnded(state)) return undefined;
  return {
    operationId: showId('operation', operation.id),
    state: state as (typeof OPERATION_ENDS)[number],
    createdAt: operation.createdAt.toISOString(),
    closedAt: closedAt.toISOString(),
    kind: operation.kind,
    target: operation.target,
    select: selectionView(operation.selection),
    options: operation.options,
    reason: operation.reason ?? null,
    ticket: operation.ticket ?? null,
    requestedBy: operation.requestedBy,
    counts: report.counts,
    mayHaveArrived: report.mayHaveArrived,
    exclusions: Object.fromEntries(
      Object.entries(report.exclusions).map(([reason, count]) => [reason, count ?? 0]),
    ),
    remainder: remainderView(report.remainder),
    addendum: Object.fromEntries(Object.entries(addendum).map(([part, change]) => [part, change ?? 0])),
    attempts: report.attempts,
    firstAttemptAt: report.firstAttemptAt ?? null,
    lastAttemptAt: report.lastAttemptAt ?? null,
  };
}
