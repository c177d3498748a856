import type { ActBy } from '../../domain/audit/audit-action.ts';
import { FORMATS } from '../../domain/imports/formats/formats.ts';
import { MAX_IMPORT_BYTES, MAX_LINE_BYTES } from '../../domain/imports/import-limits.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Pool } from '../../store/db/pool.ts';
import type { Import } from '../../store/imports/imports.ts';
import { type ArrivedLine, LineSplitter } from './line-splitter.ts';
import { readLine } from './read-line.ts';
import { type ReadLine, type TakenBatch, takeBatch } from './take-batch.ts';

/** Lines, or bytes, of one transaction: it holds the tenant's counter, for which its senders wait. */
const BATCH_LINES = 500;
const BATCH_BYTES = 4 * 1024 * 1024;

/** The parts that taking lines needs. */
export interface TakingDeps {
  pool: Pool;
  /** Writes a batch in its turn: imports of many tenants leave connections to others. */
  inTurn<Result>(act: () => Promise<Result>): Promise<Result>;
  /** Aborted when the process is to stop. */
  stop: AbortSignal;
}

/** Lines of a file, from one of its lines on. */
export interface Upload {
  /** The number of the first line, counted from 1. */
  from: number;
  chunks: AsyncIterable<Buffer>;
  by: ActBy;
  now(): number;
}

/** Why lines were not taken; those before are. */
export type TakingRefusal = 'not_open' | 'gap' | 'too_large' | 'stopping';

/**
 * Takes the lines of a body as they arrive: one batch is written while the next one is read, and no more is held. Lines
 * that were taken before are passed over, so that whoever does not know how far an import has come sends its file again. A
 * body is no longer than an import: what is passed over, and a line that does not end, have arrived all the same.
 */
export async function takeLines(
  deps: TakingDeps,
  tenantId: Id<'tenant'>,
  to: Import,
  { from, chunks, by, now }: Upload,
): Promise<TakingRefusal | undefined> {
  if (from > to.lines + 1) return 'gap';
  const splitter = new LineSplitter(MAX_LINE_BYTES);
  const { source } = FORMATS[to.format];
  const writer = new BatchWriter(deps, tenantId, to, by);
  let line = from - 1;
  let arrived = 0;
  const add = async ({ line: bytesOf, bytes }: ArrivedLine) => {
    line += 1;
    if (line <= writer.lines) return;
    const context = { nowMs: now(), ...present({ eventType: to.eventType, source: to.source ?? source }) };
    const record = readLine(bytesOf, { first: line === 1, format: to.format, context });
    await writer.add({ line, record, bytes });
  };
  try {
    for await (const chunk of chunks) {
      for (const each of splitter.push(chunk)) {
        await add(each);
        if (writer.refusal) return writer.refusal;
      }
      arrived += chunk.length;
      const open = line < writer.lines ? 0 : splitter.openBytes;
      if (arrived > MAX_IMPORT_BYTES || writer.bytes + open > MAX_IMPORT_BYTES) return 'too_large';
      if (deps.stop.aborted) return 'stopping';
      // Chunks that have arrived already would keep everybody else waiting.
      await new Promise(setImmediate);
    }
    const last = splitter.end();
    if (last) await add(last);
  } finally {
    await writer.flush();
  }
  return writer.refusal;
}

class BatchWriter {
  readonly #deps: TakingDeps;
  readonly #tenantId: Id<'tenant'>;
  readonly #to: Import;
  /** Who does it; noted with the first batch. */
  #by: ActBy | undefined;
  #batch: ReadLine[] = [];
  #batchBytes = 0;
  #bytes: number;
  #writing: Promise<void> = Promise.resolve();
  #refusal: TakingRefusal | undefined;
  #lines: number;

  constructor(deps: TakingDeps, tenantId: Id<'tenant'>, to: Import, by: ActBy) {
    this.#deps = deps;
    this.#tenantId = tenantId;
    this.#to = to;
    this.#by = by;
    this.#bytes = to.bytes;
    this.#lines = to.lines;
  }

  /** Lines that have been taken, as far as is known here. */
  get lines(): number {
    return this.#lines;
  }

  /** Bytes of the import, with those that are being taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Why nothing more is taken. */
  get refusal(): TakingRefusal | undefined {
    return this.#refusal;
  }

  async add(line: ReadLine): Promise<void> {
    if (this.#bytes + line.bytes > MAX_IMPORT_BYTES) {
      this.#refusal ??= 'too_large';
      return;
    }
    this.#bytes += line.bytes;
    this.#batchBytes += line.bytes;
    this.#batch.push(line);
    if (this.#batch.length >= BATCH_LINES || this.#batchBytes >= BATCH_BYTES) await this.#write();
  }

  /** Writes what is left, and waits for what is being written. */
  async flush(): Promise<void> {
    await this.#write();
    await this.#writing;
  }

  /** Begins to write a batch when the one before it is written. */
  async #write(): Promise<void> {
    await this.#writing;
    const batch = this.#batch;
    if (batch.length === 0 || this.#refusal === 'not_open') return;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#writing = this.#deps
      .inTurn(() => takeBatch(this.#deps.pool, this.#tenantId, this.#to, batch, this.#by))
      .then((taken) => this.#took(taken));
    // Its failure is met by whoever waits for it: nobody may until the next chunk arrives.
    this.#writing.catch(() => {});
  }

  #took(taken: TakenBatch): void {
    if (!taken.ok) {
      this.#refusal ??= taken.why;
      return;
    }
    this.#lines = Math.max(this.#lines, taken.lines);
    if (taken.took > 0) this.#by = undefined;
  }
}
