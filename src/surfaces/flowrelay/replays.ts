import { z } from 'zod';
import type { ApiDeps } from '../../api/api-deps.ts';
import { type Problem, problem } from '../../api/problems/problem.ts';
import type { Reply } from '../../api/reply.ts';
import { readIdempotencyKey, replayedHeaders } from '../../api/requests/idempotency.ts';
import { type Route, route } from '../../api/route.ts';
import { alias } from '../../domain/tenancy/typed-id.ts';
import { idField, idParams } from '../native/fields.ts';
import {
  BODY_ERRORS,
  errorResponses,
  keyConflictReply,
  REPLAY_ERRORS,
  refusalReply,
} from './flowrelay-problem.ts';
import { ReplayView, ShownReplay } from './replay-schema.ts';
import { previewView, replayView, shownReplay } from './replay-view.ts';
import { confirmReceiptReplay } from './replaying/confirm-receipt-replay.ts';
import { executeReceiptReplay } from './replaying/execute-receipt-replay.ts';
import { previewReceiptReplay } from './replaying/preview-receipt-replay.ts';
import type { ReplayResult } from './replaying/receipt-replay-checks.ts';
import { findReplay } from './store/receipt-replays.ts';
import { replayResults } from './store/replay-results.ts';

const TAG = 'FlowRelay';

const headers = {
  'Idempotency-Key': {
    description: 'One key from the preview to the execution; a fresh preview takes a new one.',
    example: 'replay-2026-11-03-1',
    required: true,
  },
} as const;

const replayed = { 'Idempotency-Replayed': '`true` where this was answered before under the same key.' };

/** Replay of a receipt's event: preview, confirm, execute, under one key. */
export function replayRoutes(deps: ApiDeps): Route[] {
  const act = {
    tag: TAG,
    access: { of: 'tenant', scope: 'write:deliveries', part: 'replay:receipts' },
    headers,
    bodyOptional: true,
  } as const;
  const params = idParams('receiptReplay', 'Id of the replay.');
  const errors = errorResponses(...BODY_ERRORS, ...REPLAY_ERRORS);
  return [
    route({
      ...act,
      method: 'post',
      path: '/flowrelay/v1/receipts/{id}/replay/preview',
      summary: "Preview the replay of a receipt's event",
      description:
        'Shows current endpoint configuration, readiness, duplicate side-effect risk and authority, and binds the replay to target, payload, endpoint version, event and actor: a change of any of them demands a fresh preview. Nothing is sent.',
      request: {
        params: idParams('receipt', 'Id of the receipt.'),
        body: z
          .strictObject({
            endpointId: idField('endpoint', 'Which handoff, where the receipt has several.').optional(),
          })
          .meta({ id: 'FlowRelayPreviewRequest' }),
      },
      responses: {
        201: { description: 'The preview.', schema: ReplayView, headers: replayed },
        ...errors,
      },
      async handler({ params: { id }, body, tenant, caller, header, requestId }) {
        const key = requiredKey(header('idempotency-key'));
        if (typeof key === 'object') return key;
        const result = await previewReceiptReplay(
          deps,
          { tenant, caller, key },
          { eventId: alias('event', id), endpointId: body.endpointId },
          (planned) => previewView(planned, { caller, key, requestId }),
        );
        return answer(result, 201, requestId);
      },
    }),
    route({
      ...act,
      method: 'post',
      path: '/flowrelay/v1/replays/{id}/confirm',
      summary: 'Confirm a previewed replay',
      request: {
        params,
        body: z
          .strictObject({
            confirmDuplicateRisk: z.boolean().optional().meta({
              description:
                'You know that processing may already have started, and want it sent again all the same.',
              example: true,
            }),
          })
          .meta({ id: 'FlowRelayConfirmation' }),
      },
      responses: {
        200: { description: 'It is confirmed.', schema: ReplayView, headers: replayed },
        ...errors,
      },
      async handler({ params: { id }, body, tenant, caller, header, requestId }) {
        const key = requiredKey(header('idempotency-key'));
        if (typeof key === 'object') return key;
        const result = await confirmReceiptReplay(deps, { tenant, caller, key }, id, {
          duplicateRisk: body.confirmDuplicateRisk ?? false,
        });
        return answer(result, 200, requestId);
      },
    }),
    route({
      ...act,
      method: 'post',
      path: '/flowrelay/v1/replays/{id}/execute',
      summary: 'Execute a confirmed replay',
      description:
        'Sends the accepted event unchanged to the endpoint as it is configured now. Everything that the preview is bound to is looked at once more. A repeat is answered with the same result.',
      request: { params },
      responses: {
        202: {
          description: 'It is executed; `GET` of the replay and the receipt show the results.',
          schema: ReplayView,
          headers: replayed,
        },
        ...errors,
      },
      async handler({ params: { id }, tenant, caller, header, requestId }) {
        const key = requiredKey(header('idempotency-key'));
        if (typeof key === 'object') return key;
        return answer(await executeReceiptReplay(deps, { tenant, caller, key }, id), 202, requestId);
      },
    }),
    route({
      tag: TAG,
      access: { of: 'tenant', scope: 'read:deliveries' },
      method: 'get',
      path: '/flowrelay/v1/replays/{id}',
      summary: 'Show a replay with its results',
      request: { params },
      responses: { 200: { description: 'The replay.', schema: ShownReplay }, ...errorResponses() },
      async handler({ params: { id }, tenant }) {
        const replay = await findReplay(deps.pool, tenant.id, id);
        if (!replay) return problem('not_found');
        const results = await replayResults(
          deps.pool,
          tenant.id,
          replay.operationId ? [replay.operationId] : [],
        );
        return { status: 200, body: shownReplay(replay, results) };
      },
    }),
  ];
}

function answer(result: ReplayResult, status: number, requestId: string): Reply | Problem {
  if (result.ok)
    return {
      status,
      body: replayView(result.replay),
      headers: replayedHeaders(result.repeated),
    };
  switch (result.code) {
    case 'not_found':
      return problem('not_found');
    case 'key_conflict':
    case 'key_unused':
      return keyConflictReply(requestId, result.code);
    case 'refused':
      return refusalReply(result.refusal, requestId);
    case 'several_targets':
      return problem('invalid_request', {
        detail: 'This receipt has several handoffs: name the endpoint of the one that is meant.',
        errors: [{ pointer: '#/endpointId', code: 'required', message: 'This member is required here.' }],
      });
  }
}

function requiredKey(header: string | undefined): string | Problem {
  return (
    readIdempotencyKey(header) ??
    problem('idempotency_key_required', {
      detail: 'A replay needs the header `Idempotency-Key`, the same from the preview to the execution.',
      errors: [{ parameter: 'Idempotency-Key', code: 'required', message: 'This header is required.' }],
    })
  );
}
