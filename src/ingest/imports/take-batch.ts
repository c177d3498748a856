import { createHash } from 'node:crypto';
import type { ActBy } from '../../domain/audit/audit-action.ts';
import { type AttemptIdentity, decideLines, type LineToDecide } from '../../domain/imports/decide-lines.ts';
import { EventIndex, identityOf, nameOf } from '../../domain/imports/event-index.ts';
import { FORMATS } from '../../domain/imports/formats/formats.ts';
import { ANY_ENDPOINT, type ImportRecord } from '../../domain/imports/import-record.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { noteAct } from '../../store/audit/entries.ts';
import { type Pool, withTransaction } from '../../store/db/pool.ts';
import type { Transaction } from '../../store/db/queryable.ts';
import { advanceImport, type Import, type LineCounts, lockOpenImport } from '../../store/imports/imports.ts';
import {
  type ImportIds,
  knownDeliveries,
  knownEvents,
  lockCounter,
  takenWebhookIds,
} from '../../store/imports/known-before.ts';
import {
  addAttempts,
  insertFates,
  insertImportedDeliveries,
  insertImportedEvents,
} from '../../store/imports/write-lines.ts';
import { keepFromRemoval } from '../../store/retention/removal-gate.ts';
import { crashPoint } from '../../telemetry/crash-points.ts';

/** A line of the file as it was read. */
export interface ReadLine {
  line: number;
  record: ImportRecord | 'blank';
  /** Its bytes, with its end. */
  bytes: number;
}

/** How far an import has come by a batch, or why it has taken nothing of it. */
export type TakenBatch = { ok: true; lines: number; took: number } | { ok: false; why: 'not_open' };

/**
 * Takes lines that follow one another, all or none, with what they make and how far the import has come by them: a
 * connection, or a process, that ends at any moment leaves an import that goes on behind its last batch. Lines that
 * another connection has taken meanwhile are passed over.
 */
export function takeBatch(
  pool: Pool,
  tenantId: Id<'tenant'>,
  to: Import,
  lines: readonly ReadLine[],
  begun?: ActBy,
): Promise<TakenBatch> {
  return withTransaction(pool, async (tx): Promise<TakenBatch> => {
    const at = await lockOpenImport(tx, tenantId, to.id);
    if (!at) return { ok: false, why: 'not_open' };
    const left = lines.filter(({ line }) => line > at.lines);
    const last = left.at(-1);
    if (!last) return { ok: true, lines: at.lines, took: 0 };
    if (left[0]?.line !== at.lines + 1) throw new Error('a batch of lines does not follow those before it');
    const fates = await takeLinesIn(tx, tenantId, to, left);
    const bytes = left.reduce((sum, line) => sum + line.bytes, 0);
    await advanceImport(tx, to.id, fates, bytes);
    if (begun)
      await noteAct(tx, {
        tenantId,
        by: begun,
        action: 'import.continued',
        target: to.id,
        detail: { fromLine: at.lines + 1 },
      });
    crashPoint('importing');
    return { ok: true, lines: last.line, took: left.length };
  });
}

async function takeLinesIn(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  to: Import,
  lines: readonly ReadLine[],
): Promise<LineCounts> {
  const told = lines.flatMap(({ line, record }) => (record === 'blank' ? [] : [{ line, record }]));
  // What a line tells of an event that is there already is written to that. Before the counter, for which others wait.
  await keepFromRemoval(tx, tenantId);
  const ids = await lockCounter(tx, tenantId, told.length);
  const endpoints = new Map(to.targets.map(({ theirs, endpointId }) => [theirs, endpointId]));
  const asked = told.map(({ line, record }, n) => toDecide(line, record, endpoints, ids, n));
  const known = await knownBefore(tx, tenantId, asked, to.keepIds);
  const { events, deliveries, added, fates } = decideLines(asked, known, {
    keepIds: to.keepIds,
    idMember: FORMATS[to.format].idMember,
    attemptIdOf,
  });
  const batch = {
    tenantId,
    importId: to.id,
    ingestionBatchId: to.ingestionBatchId,
    acceptedAt: ids.acceptedAt,
  };
  await insertImportedEvents(tx, batch, events);
  await insertImportedDeliveries(tx, batch, deliveries);
  await addAttempts(tx, tenantId, added);
  await insertFates(tx, to.id, fates);
  const ended = (result: string) => fates.filter((fate) => fate.result === result).length;
  return {
    accepted: ended('accepted'),
    duplicates: ended('duplicate'),
    refused: ended('refused'),
    blank: lines.length - told.length,
  };
}

function toDecide(
  line: number,
  record: ImportRecord,
  endpoints: ReadonlyMap<string, Id<'endpoint'>>,
  ids: ImportIds,
  n: number,
): LineToDecide {
  const own = {
    event: ids.eventIds[n] as Id<'event'>,
    delivery: ids.deliveryIds[n] as Id<'delivery'>,
    execution: ids.executionIds[n] as Id<'execution'>,
  };
  const delivery = record.kind === 'refused' ? undefined : record.delivery;
  if (record.kind === 'refused' || !delivery) return { line, record, ids: own };
  const endpointId = endpoints.get(delivery.endpoint);
  if (!endpointId)
    return {
      line,
      record: {
        kind: 'refused',
        reason: 'unmapped',
        ...(delivery.endpoint === ANY_ENDPOINT ? {} : { theirs: delivery.endpoint }),
      },
      ids: own,
    };
  return { line, record, endpointId, ids: own };
}

/** What the tenant has of what lines are about: for each line at most one event and one delivery. */
async function knownBefore(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  asked: readonly LineToDecide[],
  keepIds: boolean,
) {
  const records = asked.flatMap(({ record, endpointId }) =>
    record.kind === 'refused' ? [] : [{ record, endpointId }],
  );
  const events = await knownEvents(tx, tenantId, {
    identities: eachOnce(
      records.flatMap(({ record }) => (record.kind === 'event' ? [record] : [])),
      identityOf,
    ),
    names: eachOnce(
      records.flatMap(({ record }) => (record.kind === 'attempts' ? [record] : [])),
      nameOf,
    ),
  });
  const index = new EventIndex<(typeof events)[number]>();
  for (const event of events) index.add(event, event);
  const pairs = records.flatMap(({ record, endpointId }) => {
    const event = record.kind === 'event' ? index.get(record) : index.only(record);
    return endpointId && event?.imported ? [{ eventId: event.eventId, endpointId }] : [];
  });
  const ids = records.flatMap(({ record: { externalId: webhookId }, endpointId }) =>
    endpointId ? [{ endpointId, webhookId }] : [],
  );
  return {
    events,
    deliveries: await knownDeliveries(
      tx,
      eachOnce(pairs, ({ eventId, endpointId }) => `${eventId}/${endpointId}`),
    ),
    webhookIds: keepIds
      ? await takenWebhookIds(
          tx,
          eachOnce(ids, ({ endpointId, webhookId }) => `${endpointId}/${webhookId}`),
        )
      : [],
  };
}

/** The first of those that have the same name: lines of one event are one look-up. */
function eachOnce<Of>(all: readonly Of[], nameOfEach: (each: Of) => string): Of[] {
  return [...new Map(all.map((each) => [nameOfEach(each), each])).values()];
}

/** Of the event as it is known here: an attempt that comes without its event has the same id as one that comes with it. */
function attemptIdOf({ eventId, endpointId, key }: AttemptIdentity): Id<'attempt'> {
  const hex = createHash('sha256')
    .update(JSON.stringify([eventId, endpointId, key]))
    .digest('hex');
  // Version 8 of RFC 9562: made in a way of its own.
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}` as Id<'attempt'>;
}
