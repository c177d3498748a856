import { z } from 'zod';
import type { ApiDeps } from '../../api/api-deps.ts';
import { createTurns, inTurnWithin, type Turns, turnsOf } from '../../api/limits/turns.ts';
import { type Call, type Route, route } from '../../api/route.ts';
import { bridgeNamed } from './bridge.ts';
import { BRIDGE_EVENT_FIELDS, COMPARISONS } from './bridge-event-filter.ts';
import { hashOf, systemProof } from './envelope.ts';
import { listedEvent } from './event-view.ts';
import { authorize, type Quota, readPresented } from './ledger-access.ts';
import { errorReply, isLedgerError, type LedgerError, ledgerErrors } from './ledger-error.ts';
import { readListQuery, unusableRegex } from './list-query.ts';
import { ERROR_RESPONSES, EventList, LEDGER_HEADERS } from './route-schemas.ts';
import { listBridgeEvents } from './store/bridge-events.ts';
import { systemSigner } from './system-signer.ts';

/**
 * Lists that are read at a time in one process, one of a ledger: what one costs is up to its pattern, and each holds a
 * connection.
 */
const LISTS_AT_ONCE = 2;
const WAIT_MS = 5_000;

/** Lists the events of a bridge with their statuses. */
export function listEventsRoute(deps: ApiDeps, quota: Quota): Route {
  const inTurnOf = turnsOf(createTurns(LISTS_AT_ONCE));
  return route({
    method: 'get',
    path: '/v2/bridges/{handle}/events',
    summary: 'List the events of a bridge, newest first',
    description: `Filters are \`path.$operator=value\`: paths ${Object.keys(BRIDGE_EVENT_FIELDS).join(', ')}; operators ${COMPARISONS.join(', ')}. Required access action: \`query-event\` on record \`bridge\`.`,
    tag: 'Minka',
    access: { of: 'anyone' },
    request: {
      params: z.strictObject({
        handle: z.string().meta({
          description: 'Luid or handle (address) of the bridge.',
          example: 'mint',
        }),
      }),
      query: z.looseObject({
        'page.index': z
          .unknown()
          .optional()
          .meta({ type: 'integer', description: 'Number of the page, from 0.', example: 0 }),
        'page.limit': z.unknown().optional().meta({
          type: 'integer',
          description: 'Events of a page, 1 to 100; 10 where left out.',
          example: 10,
        }),
      }),
    },
    headers: LEDGER_HEADERS,
    responses: { 200: { description: 'The signed list.', schema: EventList }, ...ERROR_RESPONSES },
    async handler(call) {
      const listed = await listEvents(deps, { quota, inTurnOf }, call);
      if (isLedgerError(listed)) return errorReply(systemSigner(deps.sealer), listed);
      return { status: 200, body: listed.list };
    },
  });
}

type ListCall = Pick<Call, 'rawBody' | 'rawParams' | 'url' | 'header'> & { query: Record<string, unknown> };

async function listEvents(
  { pool, sealer }: ApiDeps,
  { quota, inTurnOf }: { quota: Quota; inTurnOf: (key: string) => Turns },
  call: ListCall,
): Promise<{ list: object } | LedgerError> {
  const presented = await readPresented({ pool }, { ...call, method: 'GET' });
  if (isLedgerError(presented)) return presented;
  const query = readListQuery(call.query);
  if (isLedgerError(query)) return query;
  // There is nothing to sign but the token.
  if (!presented.token) return ledgerErrors.signatureMissing;
  const access = await authorize({ pool, sealer }, quota, presented, [], 'query-event');
  if (isLedgerError(access)) return access;
  const { tenant } = access;
  const bridge = await bridgeNamed(pool, tenant, call.rawParams.handle ?? '');
  if (isLedgerError(bridge)) return bridge;
  const { conditions, index, limit } = query;
  const page = await inTurnWithin(inTurnOf(tenant.id), WAIT_MS, () =>
    listBridgeEvents(pool, tenant.id, bridge, conditions, { offset: index * limit, limit }),
  );
  if (!page) return { ...ledgerErrors.rateLimited, headers: { 'retry-after': '1' } };
  if (!page.ok) return unusableRegex(query) ?? ledgerErrors.unexpected;
  const signer = systemSigner(sealer);
  const data = page.events.map((event) => listedEvent(signer, bridge.handle, event));
  const hash = hashOf(data);
  const moment = new Date().toISOString();
  return {
    list: {
      hash,
      meta: { proofs: [systemProof(signer, hash, { moment })], moment },
      data,
      page: { index, limit },
    },
  };
}
