import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { createTurns } from '../../../api/limits/turns.ts';
import { type Route, route } from '../../../api/route.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';
import { listenForChanges } from '../../../store/operations/change-notices.ts';
import { presentOperations } from '../../../store/operations/operations.ts';
import { findOutage, listOutages, type Outage } from '../../../store/outages/outages.ts';
import { withWaits } from '../../../store/reading/waits.ts';
import { EVENT_STREAM_HEADERS, sendEvents } from '../event-stream.ts';
import { outageSummary } from '../outages/outage-view.ts';
import { operationSummary } from '../retries/operation-view.ts';
import type { ProgressRate } from '../retries/progress-rate.ts';
import { type TenantChange, TenantWatch } from './tenant-watch.ts';

/** Tenants that are looked at at a time, of all that are followed in a process. */
const LOOKS_AT_ONCE = 4;
/** Operations of a tenant that are followed, and outages. */
const FOLLOWED = { newest: 50, open: 100, outages: 100 };

/** Everything of a tenant as it happens, in one stream. */
export function streamRoutes({ pool, shutdown }: ApiDeps, rate: ProgressRate): Route[] {
  const inTurn = createTurns(LOOKS_AT_ONCE);
  const watch = new TenantWatch({
    load: (tenantId, wasOpen) =>
      inTurn(async () => {
        const asOf = new Date();
        const operations = await presentOperations(pool, tenantId, {
          ...FOLLOWED,
          named: wasOpen.operations,
        });
        return {
          asOf,
          operations: await withWaits(pool, operations),
          outages: await outagesOf(tenantId, wasOpen.outages),
        };
      }),
    listen(onChange) {
      const ended = new AbortController();
      const end = () => ended.abort();
      shutdown.addEventListener('abort', end, { once: true });
      void listenForChanges(pool, onChange, ended.signal);
      return () => {
        shutdown.removeEventListener('abort', end);
        end();
      };
    },
  });
  return [
    route({
      method: 'get',
      path: '/api/v1/stream',
      summary: 'Follow everything of a tenant (server-sent events)',
      description: `Sends an event \`snapshot\` with the newest ${FOLLOWED.newest} operations and those that are open, ${FOLLOWED.open} of them at most, without their selections, and the outages that have not ended, without their counts; and then an event \`changes\` with those that have moved, several times a second at most. Each is \`{asOf, operations, outages}\`. Comments in between keep the connection open. Each event has an id: with the last one in \`Last-Event-ID\` a stream that was cut goes on with what has moved where nothing else has moved meanwhile, and begins with a snapshot otherwise. It ends when its credential does. 20 go on at a time for a credential and 200 for a tenant; a further one is \`rate_limited\`.`,
      tag: 'Figures',
      access: { of: 'tenant', scope: 'read:deliveries' },
      headers: {
        'Last-Event-ID': {
          description: 'Id of the last event that was received.',
          example: 'q1Zk0Xh2bT5cA8rT',
        },
      },
      responses: {
        200: { description: 'The stream.', schema: z.string(), contentType: 'text/event-stream' },
      },
      async handler({ tenant, header }) {
        const lastSeen = header('last-event-id');
        return {
          status: 200,
          kind: 'events',
          contentType: 'text/event-stream',
          headers: EVENT_STREAM_HEADERS,
          stream: (output) => sendEvents(output, eventsOf(tenant.id, lastSeen, output.ended)),
        };
      },
    }),
  ];

  /** Those that have not ended, and those that had not the last time. */
  async function outagesOf(tenantId: Id<'tenant'>, wasOpen: readonly Id<'outage'>[]): Promise<Outage[]> {
    const present = await listOutages(pool, tenantId, {
      state: ['open', 'recovered'],
      limit: FOLLOWED.outages,
    });
    const ended = wasOpen.filter((id) => !present.some((outage) => outage.id === id));
    const found = await Promise.all(ended.map((id) => findOutage(pool, tenantId, id)));
    return [...present, ...found.filter((outage) => outage !== undefined)];
  }

  async function* eventsOf(
    tenantId: Id<'tenant'>,
    lastSeen: string | undefined,
    ended: AbortSignal,
  ): AsyncGenerator<string> {
    for await (const change of watch.changes(tenantId, lastSeen, ended)) yield eventOf(change);
  }

  function eventOf({ id, asOf, whole, operations, outages }: TenantChange): string {
    const data = JSON.stringify({
      asOf: asOf.toISOString(),
      operations: operations.map((each) => operationSummary(each, rate.observe(each, performance.now()))),
      outages: outages.map(outageSummary),
    });
    return `event: ${whole ? 'snapshot' : 'changes'}\ndata: ${data}\nid: ${id}\n\n`;
  }
}
