import { v7 as uuidv7 } from 'uuid';
import { wantsEvent } from '../../domain/endpoints/endpoint-match.ts';
import { FAILED_FILE_TYPE, isSystemEventType } from '../../domain/endpoints/event-type.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { MatchedEvent } from '../../ingest/matched-event.ts';
import { writeCallsIn } from '../../ingest/write-calls.ts';
import type { Chore, ChoreDeps } from '../../loops/chore.ts';
import type { Pool } from '../../store/db/pool.ts';
import { withTransaction } from '../../store/db/pool.ts';
import type { Transaction } from '../../store/db/queryable.ts';
import { type Matchable, matchableEndpoints } from '../../store/tenancy/endpoint-versions.ts';
import { failedFileEvent } from './failed-file-event.ts';
import { fileArtifacts } from './file-artifact.ts';
import { fileFault } from './file-fault.ts';
import { readEndedHorizon } from './store/ended-horizon.ts';
import {
  feedsWithNews,
  feedsWithoutList,
  lockFailedFileFeed,
  moveFailedFileFeed,
  openFailedFileFeeds,
} from './store/failed-file-feeds.ts';
import { endedExecutions, type FileExecution } from './store/file-executions.ts';
import { listExecutions } from './store/listed-executions.ts';

const FEEDS_AT_ONCE = 100;
/** Events of one transaction. */
const PAGE = 500;
/** Between the time a transaction takes as its own and the moment others can see that it runs. */
const LAG_MS = 500;

/**
 * Tells every tenant that asks to be told of its failed files; a turn that fails does not stop those of other tenants.
 */
export function failedFileChore({ pool, stop, count, wakeLiveLanes, attempt }: ChoreDeps): Chore {
  return {
    name: 'failed_files',
    async run() {
      for (const tenantId of await tenantsToTell(pool, { attempt, stop }))
        await attempt('failed_files', async () => {
          const told = await tellFailedFiles(pool, tenantId, stop);
          if (told === 0) return;
          count('told_failed_file', told);
          await wakeLiveLanes();
        });
    },
  };
}

/**
 * The tenants that ask to be told of failed files, and of which something has failed since. A list that is not whole goes on
 * in the next turn, and one that fails does not stop those of other tenants.
 */
export async function tenantsToTell(
  pool: Pool,
  { attempt, stop }: Partial<Pick<ChoreDeps, 'attempt' | 'stop'>> = {},
): Promise<Id<'tenant'>[]> {
  await openFailedFileFeeds(pool);
  for (const tenantId of await feedsWithoutList(pool)) {
    if (stop?.aborted) return [];
    const list = async () => {
      await listExecutions(pool, tenantId, { stop });
    };
    await (attempt ? attempt('failed_files', list) : list());
  }
  return feedsWithNews(pool, FEEDS_AT_ONCE);
}

/**
 * Tells a tenant, by events through Redrive itself, of each execution that ended failed: exactly once, for the events
 * and the place they stand for are committed together. Ends early when stopped. Returns how many were told.
 */
export async function tellFailedFiles(
  pool: Pool,
  tenantId: Id<'tenant'>,
  stop?: AbortSignal,
): Promise<number> {
  let told = 0;
  for (let read = PAGE; read === PAGE && !stop?.aborted; ) {
    const page = await withTransaction(pool, (db) => tellPage(db, tenantId));
    read = page.read;
    told += page.told;
  }
  return told;
}

async function tellPage(db: Transaction, tenantId: Id<'tenant'>): Promise<{ read: number; told: number }> {
  const after = await lockFailedFileFeed(db, tenantId);
  if (!after) return { read: 0, told: 0 };
  // A statement of its own before the page, and the transaction's only look there: see there why.
  const { before } = await readEndedHorizon(db, LAG_MS);
  const failed = await endedExecutions(db, tenantId, { after, before, limit: PAGE, only: 'failed' });
  const last = failed.at(-1);
  if (!last?.processedAtMicros) return { read: 0, told: 0 };
  // The fate of a notice is told to nobody, or it would never end.
  const told = await tell(
    db,
    tenantId,
    // Nor is what failed in another system, and was imported.
    failed.filter(({ event, reason }) => !isSystemEventType(event.type) && reason !== 'imported'),
  );
  await moveFailedFileFeed(db, tenantId, { processedAtMicros: last.processedAtMicros, id: last.id });
  return { read: failed.length, told };
}

async function tell(db: Transaction, tenantId: Id<'tenant'>, failed: FileExecution[]): Promise<number> {
  if (failed.length === 0) return 0;
  const endpoints = (await matchableEndpoints(db, tenantId)).filter(({ eventTypes }) =>
    eventTypes?.includes(FAILED_FILE_TYPE),
  );
  // Nobody asks any more: the place moves on, so that a tenant that asks again is not told of failures of long ago.
  if (endpoints.length === 0) return 0;
  await writeCallsIn(db, tenantId, [failed.map((execution) => eventOf(tenantId, execution, endpoints))]);
  return failed.length;
}

function eventOf(tenantId: Id<'tenant'>, execution: FileExecution, endpoints: Matchable[]): MatchedEvent {
  const payload = failedFileEvent(uuidv7(), tenantId, {
    executionId: execution.id,
    processedAt: (execution.processedAt ?? execution.updatedAt).toISOString(),
    direction: execution.direction,
    partnershipId: execution.endpoint.handle,
    name: execution.event.name,
    artifacts: fileArtifacts(execution),
    fault: fileFault(execution.reason),
  });
  const body = JSON.stringify(payload);
  return {
    type: FAILED_FILE_TYPE,
    source: 'redrive',
    key: execution.id,
    occurredAt: execution.processedAt,
    body,
    payloadBytes: Buffer.byteLength(body),
    payload,
    endpoints: endpoints.filter((endpoint) => wantsEvent(endpoint, { type: FAILED_FILE_TYPE, payload })),
  };
}
