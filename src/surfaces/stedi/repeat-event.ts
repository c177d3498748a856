import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ApiDeps } from '../../api/api-deps.ts';
import { notAtOnce } from '../../api/problems/not-at-once.ts';
import { isProblem, type Problem, problem } from '../../api/problems/problem.ts';
import { keyedRequest, readIdempotencyKey } from '../../api/requests/idempotency.ts';
import { type Route, route } from '../../api/route.ts';
import type { ActBy } from '../../domain/audit/audit-action.ts';
import { type Id, showId } from '../../domain/tenancy/typed-id.ts';
import { judgeAtOnce } from '../../operations/policy/judge-at-once.ts';
import { noteAct } from '../../store/audit/entries.ts';
import { withTransaction } from '../../store/db/pool.ts';
import type { Transaction } from '../../store/db/queryable.ts';
import { lockKey, storeAnswer } from '../../store/operations/idempotency-keys.ts';
import { idField } from '../native/fields.ts';
import { ERROR_RESPONSES } from './stedi-error.ts';
import { shownUuid } from './stedi-fields.ts';
import { repeatEvent, repeatedOf } from './store/repeated-events.ts';

const PATH = '/events/{eventId}/retry';

const RepeatedEvent = z
  .strictObject({ eventId: shownUuid('Id of the new event.') })
  .meta({ id: 'StediRepeatedEvent', description: 'The event that repeats the old one.' });

/** `POST /events/{eventId}/retry`. */
export function repeatEventRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'post',
      path: PATH,
      summary: 'Send an event again, as a new one',
      description:
        'The new event has the payload of the old one and goes to the endpoints that had it; both are linked. Its deliveries have ids of their own. It keeps a copy of the payload: erasing that of one of the two leaves that of the other. Where the policy would hold a retry of the event nothing is made (409): ask for a replay with a new identity in the native API, which waits.',
      tag: 'Stedi',
      access: { of: 'tenant', scope: 'write:deliveries' },
      request: { params: z.strictObject({ eventId: idField('event', 'Id of the event.') }) },
      headers: {
        'Idempotency-Key': {
          description: 'Makes repeating the request safe for 24 hours; optional.',
          example: 'a7f3c1d2-again-2026-11-03',
        },
      },
      responses: {
        200: { description: 'The new event is accepted.', schema: RepeatedEvent },
        ...ERROR_RESPONSES,
      },
      async handler({ params: { eventId }, header, tenant, caller }) {
        const key = readIdempotencyKey(header('idempotency-key'));
        if (typeof key === 'object') return key;
        const repeated = await withTransaction(deps.pool, (db) =>
          key === undefined
            ? repeat(db, tenant.id, eventId, caller)
            : repeatOnce(db, tenant.id, eventId, caller, key),
        );
        if (isProblem(repeated)) return repeated;
        if (repeated.queued > 0) deps.pokeLiveLane();
        return { status: 200, json: repeated.json };
      },
    }),
  ];
}

const NOT_REPEATED = {
  payload_expired: 'The payload of this event is no longer kept: there is nothing to send.',
  suppressed_duplicate:
    'This event repeats the id of an earlier one and was never sent: retry the first one, or, where that is not kept any more, send it again.',
  resent: 'The sender of this event sent it again: retry the later one, which its event names as `resentAs`.',
};

/** What is waited for has to be an operation, and the new event would be sent at once. */
const INSTEAD =
  'Ask for it by `POST /api/v1/retries` with `mode: replay`, `newIdentity: true` and `select: {"eventIds": [the event]}`: that waits for what is asked.';

type Repeated = { eventId: Id<'event'>; queued: number; json: string };

async function repeat(
  db: Transaction,
  tenantId: Id<'tenant'>,
  eventId: Id<'event'>,
  by: ActBy,
): Promise<Repeated | Problem> {
  const refused = await judgeAtOnce(db, {
    tenantId,
    deliveries: (p) => repeatedOf(tenantId, eventId, p),
    single: true,
  });
  if (refused) return notAtOnce(refused, INSTEAD);
  const repeated = await repeatEvent(db, tenantId, eventId);
  if (repeated.ok) {
    await noteAct(db, {
      tenantId,
      by,
      action: 'event.repeated',
      target: eventId,
      detail: { eventId: showId('event', repeated.eventId), deliveries: repeated.queued },
    });
    const body: z.input<typeof RepeatedEvent> = { eventId: repeated.eventId };
    return { eventId: repeated.eventId, queued: repeated.queued, json: JSON.stringify(body) };
  }
  if (repeated.why === 'unknown') return problem('not_found');
  return problem('invalid_request', {
    detail: NOT_REPEATED[repeated.why],
  });
}

/** Makes the new event once for each key; a repeat gets the first answer, another event under the key is refused. */
async function repeatOnce(
  db: Transaction,
  tenantId: Id<'tenant'>,
  eventId: Id<'event'>,
  by: ActBy,
  key: string,
): Promise<Repeated | Problem> {
  const { scope, fingerprint, keep } = keyedRequest(
    key,
    { tenantId, surface: 'stedi', path: PATH },
    { params: { eventId }, body: {} },
  );
  const use = { scope, keyHash: createHash('sha256').update(key).digest(), tenantId, fingerprint };
  const held = await lockKey<Id<'event'>>(db, use);
  if (held.found === 'stored')
    return held.fingerprint.equals(use.fingerprint)
      ? { eventId: held.operationId, queued: 0, json: held.body }
      : problem('idempotency_key_reused');
  const repeated = await repeat(db, tenantId, eventId, by);
  if (isProblem(repeated)) return repeated;
  await storeAnswer(db, use, {
    // There is no operation: the key stands for the new event.
    operationId: repeated.eventId,
    status: 200,
    body: repeated.json,
    whileOpen: false,
    expiresAt: new Date(Date.now() + keep.ms),
  });
  return repeated;
}
