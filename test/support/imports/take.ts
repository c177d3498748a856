import type { ImportFormat } from '../../../src/domain/imports/import-record.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { type AskedImport, openImport } from '../../../src/ingest/imports/open-import.ts';
import { type TakingRefusal, takeLines } from '../../../src/ingest/imports/take-lines.ts';
import { findImport, type Import } from '../../../src/store/imports/imports.ts';
import type { TestStore, TestTenant } from '../store/test-store.ts';
import { mappedName } from './awkward-lines.ts';

/** An import of a test, at the level of the store. */
export interface TestImport {
  id: Id<'import'>;
  /** Sends a body of lines from a line on, in chunks of a size; with `breaksAt` the connection is lost behind so many bytes. */
  send(
    body: string | Buffer,
    options?: { from?: number; chunkBytes?: number; breaksAt?: number },
  ): Promise<TakingRefusal | undefined>;
  /** The import as it is now. */
  now(): Promise<Import>;
  /** The report: for each line its fate, or the reason and the member of one that is not accepted. */
  fates(): Promise<string[]>;
}

/** Opens an import into one endpoint. */
export async function openTestImport(
  store: Pick<TestStore, 'pool' | 'rows'>,
  tenant: TestTenant,
  endpointId: Id<'endpoint'>,
  format: ImportFormat = 'ndjson',
  asked: Partial<AskedImport> = {},
): Promise<TestImport> {
  const opened = await openImport(
    store.pool,
    tenant.id,
    {
      format,
      keepIds: false,
      targets: [{ theirs: mappedName(format), endpointId }],
      ...(format === 'ndjson' ? {} : { source: format }),
      ...asked,
    },
    { actor: 'test' },
  );
  if (!opened.ok) throw new Error(`not opened: ${opened.code}`);
  const { id } = opened.import;
  const now = async () => {
    const found = await findImport(store.pool, tenant.id, id);
    if (!found) throw new Error('the import is gone');
    return found;
  };
  return {
    id,
    now,
    async send(body, { from = 1, chunkBytes = 64 * 1024, breaksAt } = {}) {
      return takeLines(
        { pool: store.pool, inTurn: (act) => act(), stop: new AbortController().signal },
        tenant.id,
        await now(),
        {
          from,
          chunks: chunksOf(Buffer.from(body), chunkBytes, breaksAt),
          by: { actor: 'test' },
          now: Date.now,
        },
      );
    },
    async fates() {
      const rows = await store.rows(
        `select line::int, result, reason, member from import_lines where import_id = $1 order by line`,
        [id],
      );
      const { lines } = await now();
      const told = new Map(
        rows.map((row) => [row.line, [row.reason ?? row.result, row.member].filter(Boolean).join(' ')]),
      );
      return Array.from({ length: lines }, (_, n) => told.get(n + 1) ?? 'blank');
    },
  };
}

/** Lines of Redrive's own format. */
export function lines(values: readonly object[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join('');
}

async function* chunksOf(bytes: Buffer, size: number, breaksAt = bytes.length): AsyncGenerator<Buffer> {
  for (let at = 0; at < breaksAt; at += size) yield bytes.subarray(at, Math.min(at + size, breaksAt));
  if (breaksAt < bytes.length) throw new Error('the client went away');
}
