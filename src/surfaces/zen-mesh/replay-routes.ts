import { z } from 'zod';
import type { ApiDeps } from '../../api/api-deps.ts';
import { isProblem, problem } from '../../api/problems/problem.ts';
import { quotaExceeded } from '../../api/problems/quota-exceeded.ts';
import { readIdempotencyKey } from '../../api/requests/idempotency.ts';
import { type Route, route } from '../../api/route.ts';
import type { Operation } from '../../domain/operations/operation.ts';
import type { OperationState } from '../../domain/operations/operation-state.ts';
import type { DeliveryFilter } from '../../domain/operations/selection.ts';
import type { DeliveryState } from '../../domain/sending/delivery-state.ts';
import { alias, readId, showId } from '../../domain/tenancy/typed-id.ts';
import { acceptOperation } from '../../operations/accept-operation.ts';
import { findOperation, listOperations } from '../../store/operations/operations.ts';
import { shownTime, textField, timeField } from '../native/fields.ts';
import { countParameter, idCursor, pageFrom } from '../native/page.ts';
import { estimateEvents } from './event-estimate.ts';
import { idempotencyOf, KEY_HEADER, keyConflict } from './idempotency.ts';
import { notFoundDetail, zenErrors } from './problems.ts';
import { spelledId, ZEN_TAG } from './zen-fields.ts';

const PATH = '/v1/replays';
const SURFACE = 'zen-mesh';

/**
 * Everything that has not succeeded: a destination gets one copy of an event, and a delivered one is not sent again.
 */
const REPLAYED: DeliveryState[] = ['pending', 'failed', 'unknown', 'cancelled', 'ignored'];
/** The caller waits for the estimate: a number that cannot be counted in this time is estimated by the planner. */
const COUNTING_MS = 2_000;

const STATUS_OF: Record<OperationState, (typeof STATUSES)[number]> = {
  planned: 'queued',
  awaiting_approval: 'queued',
  accepted: 'queued',
  selecting: 'running',
  running: 'running',
  closing: 'running',
  paused: 'paused',
  halted: 'paused',
  completed: 'completed',
  completed_with_failures: 'completed_with_failures',
  cancelled: 'cancelled',
};
const STATUSES = [
  'queued',
  'running',
  'paused',
  'completed',
  'completed_with_failures',
  'cancelled',
] as const;

const ReplayView = z
  .strictObject({
    replay_id: z.string().meta({
      description: 'The replay; the same operation as `op_…`.',
      example: 'rpl_01k9z3e5hbe7r9qk2m4n6p8r0s',
    }),
    status: z.enum(STATUSES).meta({ description: 'Where it stands.', example: 'queued' }),
    estimated_events: z.int().meta({
      description:
        'Events that were to be replayed when it was asked for: counted, or estimated where counting would take long.',
      example: 42,
    }),
    created_at: shownTime('When it was accepted.'),
  })
  .meta({ id: 'ZenReplay' });

const NewReplay = z.strictObject({
  source_id: textField(255, 'The source of the events.', 'billing'),
  time_range: z
    .strictObject({
      since: timeField('Events that were accepted then or later.'),
      until: timeField('Events that were accepted before.'),
    })
    .refine(({ since, until }) => Date.parse(since) <= Date.parse(until), {
      path: ['until'],
      message: 'Expected a time that is not before `since`.',
      params: { code: 'reversed_range' },
    })
    .meta({ description: 'When the events were accepted.' }),
});

const TENANT_HEADER = {
  'X-Tenant-ID': {
    description: 'Id or handle of the tenant; the tenant of the credential where left out.',
    example: 'acme',
  },
};

/** Replays: everything of a source and a time that has not been delivered, from the payloads that are retained. */
export function replayRoutes(deps: ApiDeps): Route[] {
  const { pool } = deps;
  const read = {
    method: 'get',
    tag: ZEN_TAG,
    access: { of: 'tenant', scope: 'read:deliveries' },
    headers: TENANT_HEADER,
  } as const;
  return [
    route({
      method: 'post',
      path: PATH,
      takesTurn: true,
      summary: 'Replay a source and time range',
      description:
        'Asynchronous. Deliveries that succeeded are skipped, and so are those whose payload is gone.',
      tag: ZEN_TAG,
      access: { of: 'tenant', scope: 'write:deliveries' },
      headers: { ...TENANT_HEADER, ...KEY_HEADER },
      request: { body: NewReplay },
      responses: {
        202: { description: 'It is accepted.', schema: ReplayView },
        ...zenErrors({ conflict: true }),
      },
      async handler({ body, header, tenant, caller }) {
        const key = readIdempotencyKey(header('idempotency-key'));
        if (typeof key === 'object') return key;
        const { since, until } = body.time_range;
        const filter: DeliveryFilter = {
          state: REPLAYED,
          sources: [body.source_id],
          from: { at: since, inclusive: true },
          to: { at: until, inclusive: false },
        };
        const result = await acceptOperation(deps, {
          tenant,
          surface: SURFACE,
          kind: 'retry',
          target: 'current',
          selection: { filter },
          options: {},
          caller,
          estimatedEvents: await estimateEvents(pool, tenant.id, filter, COUNTING_MS),
          ...idempotencyOf(tenant, key, {
            route: 'replay',
            of: [body.source_id, Date.parse(since), Date.parse(until)],
          }),
          render: ({ operation }) => view(operation),
        });
        if (result.ok) return { status: 202, json: result.body };
        return result.code === 'quota_exceeded' ? quotaExceeded(result.beyond) : keyConflict(key);
      },
    }),
    route({
      ...read,
      path: PATH,
      summary: 'List replays, newest first',
      request: {
        query: z.strictObject({
          limit: countParameter(1, 100, 20, 'Replays of a page at most.'),
          cursor: z
            .string()
            .max(1_000)
            .optional()
            .meta({ description: '`next_cursor` of the page before.', example: 'WyI1dW1…' }),
        }),
      },
      responses: {
        200: {
          description: 'A page of replays.',
          schema: z.strictObject({
            replays: z.array(ReplayView).meta({ description: 'The replays of this page.' }),
            next_cursor: z.string().nullable().meta({
              description: 'Where the next page begins; null on the last one.',
              example: 'WyI1dW1…',
            }),
          }),
        },
        ...zenErrors(),
      },
      async handler({ query: { limit, cursor }, tenant }) {
        const listed = ['zen-mesh replays', tenant.id];
        const position = idCursor('operation', listed, cursor);
        if (isProblem(position)) return position;
        const rows = await listOperations(pool, tenant.id, {
          surface: SURFACE,
          estimated: true,
          limit: limit + 1,
          ...(position.id ? { before: position.id } : {}),
        });
        const page = pageFrom(rows, limit, listed, ({ id }) => [id], view);
        return { status: 200, body: { replays: page.items, next_cursor: page.nextCursor } };
      },
    }),
    route({
      ...read,
      path: `${PATH}/{replay_id}`,
      summary: 'Show a replay',
      request: {
        params: z.strictObject({ replay_id: spelledId('The replay.', 'rpl_01k9z3e5hbe7r9qk2m4n6p8r0s') }),
      },
      responses: { 200: { description: 'The replay.', schema: ReplayView }, ...zenErrors() },
      async handler({ params: { replay_id }, tenant }) {
        const id = readId('replay', replay_id);
        const operation =
          id === undefined ? undefined : await findOperation(pool, tenant.id, alias('operation', id));
        return operation && isReplay(operation)
          ? { status: 200, body: view(operation) }
          : problem('not_found', { detail: notFoundDetail('Replay', replay_id) });
      },
    }),
  ];
}

function isReplay({ surface, estimatedEvents }: Operation): boolean {
  return surface === SURFACE && estimatedEvents !== undefined;
}

function view(operation: Operation): z.input<typeof ReplayView> {
  return {
    replay_id: showId('replay', alias('replay', operation.id)),
    status: STATUS_OF[operation.state],
    estimated_events: operation.estimatedEvents ?? 0,
    created_at: operation.createdAt.toISOString(),
  };
}
