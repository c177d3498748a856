import { announcedEvent } from '../domain/announcements/announcement.ts';
import type { SignedCheckpoint } from '../domain/audit/signed-checkpoint.ts';
import { wantsEvent } from '../domain/endpoints/endpoint-match.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import type { MatchedEvent } from '../ingest/matched-event.ts';
import { writeCallsIn } from '../ingest/write-calls.ts';
import type { Chore, ChoreDeps } from '../loops/chore.ts';
import type { ReportSigner } from '../proof/report-signer.ts';
import { signedEndOf } from '../proof/sign-checkpoint.ts';
import { OWN_SOURCE } from '../store/announcements/announce.ts';
import {
  type DueAnnouncement,
  takeAnnouncements,
  tenantsToTell,
} from '../store/announcements/due-announcements.ts';
import type { Pool } from '../store/db/pool.ts';
import { withTransaction } from '../store/db/pool.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { type Matchable, matchableEndpoints } from '../store/tenancy/endpoint-versions.ts';
import { crashPoint } from '../telemetry/crash-points.ts';

const TENANTS_AT_ONCE = 100;
/** Events of one transaction, which holds the counter of their tenant. */
const PAGE = 100;

/** The chore that makes events of the facts that are to be told; a tenant whose turn fails keeps no other waiting. */
export function announcingChore(
  { pool, stop, count, wakeLiveLanes, attempt }: ChoreDeps,
  signer: ReportSigner,
): Chore {
  return {
    name: 'announcements',
    async run() {
      for (const tenantId of await tenantsToTell(pool, TENANTS_AT_ONCE))
        await attempt('announcements', async () => {
          const told = await tellAnnounced(pool, signer, tenantId, stop);
          if (told === 0) return;
          count('told_fact', told);
          await wakeLiveLanes();
        });
    },
  };
}

/**
 * Tells a tenant what is to be told: each fact becomes an event, as if it had been sent, and is forgotten in the same
 * transaction. Returns how many events were accepted.
 */
export async function tellAnnounced(
  pool: Pool,
  signer: ReportSigner,
  tenantId: Id<'tenant'>,
  stop?: AbortSignal,
): Promise<number> {
  let told = 0;
  for (let taken = PAGE; taken === PAGE && !stop?.aborted; ) {
    const page = await withTransaction(pool, (tx) => tellPage(tx, signer, tenantId));
    taken = page.taken;
    told += page.told;
  }
  return told;
}

async function tellPage(
  tx: Transaction,
  signer: ReportSigner,
  tenantId: Id<'tenant'>,
): Promise<{ taken: number; told: number }> {
  const due = await takeAnnouncements(tx, tenantId, PAGE);
  if (due.length === 0) return { taken: 0, told: 0 };
  const endpoints = await matchableEndpoints(tx, tenantId);
  const audit = (await signedEndOf(tx, signer, tenantId)) ?? null;
  const events = due
    .map((announcement) => eventOf(tenantId, announcement, audit, endpoints))
    .filter((event) => event.endpoints.length > 0);
  if (events.length > 0) await writeCallsIn(tx, tenantId, [events]);
  crashPoint('telling');
  return { taken: due.length, told: events.length };
}

function eventOf(
  tenantId: Id<'tenant'>,
  { type, fact, exceptEndpointId, data, at }: DueAnnouncement,
  audit: SignedCheckpoint | null,
  endpoints: readonly Matchable[],
): MatchedEvent {
  const payload = announcedEvent({ type, tenantId, at, data, audit });
  const body = JSON.stringify(payload);
  return {
    externalId: fact,
    type,
    source: OWN_SOURCE,
    // What is told of one operation or outage stays in order, at endpoints that ask for order.
    key: fact.split('/', 1)[0],
    occurredAt: at,
    body,
    payloadBytes: Buffer.byteLength(body),
    payload,
    endpoints: endpoints.filter(
      (endpoint) => endpoint.endpointId !== exceptEndpointId && wantsEvent(endpoint, { type, payload }),
    ),
  };
}
