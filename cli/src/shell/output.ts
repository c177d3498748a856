import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { FORMS } from '../command/global-flags.ts';
import { type Column, factLines, tableLines } from '../core/table.ts';
import { safeJson } from '../core/text.ts';

/** Rows whose widths decide those of their block: a list of a million is never held whole. */
const BLOCK = 200;

/** The form of data. */
export type Form = (typeof FORMS)[number];

/** Writes data to standard output, in the form that was asked for. */
export class Output {
  readonly form: Form;
  readonly #stream: Writable;
  /** A terminal is shown no character that would do something to it. */
  readonly #guarded: boolean;

  constructor(stream: Writable, form: Form, guarded: boolean) {
    this.#stream = stream;
    this.form = form;
    this.#guarded = guarded;
  }

  /** Writes a text as it is, as fast as it is taken. */
  async text(text: string | Uint8Array): Promise<void> {
    if (!this.#stream.write(text)) await once(this.#stream, 'drain');
  }

  async lines(lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await this.text(this.#guard(`${lines.join('\n')}\n`));
  }

  /** Writes an object: its facts in a table, or the whole of it as JSON. */
  async one(
    value: object,
    facts: readonly (readonly [string, unknown])[] = Object.entries(value),
  ): Promise<void> {
    if (this.form === 'table') await this.lines(factLines(facts));
    else await this.#json(value, this.form === 'json' ? 2 : 0);
  }

  /** Writes JSON as it came: what is parsed and written again has lost digits. */
  async json(text: string): Promise<void> {
    const json = this.#guard(text.trim());
    // Between two tokens only: within a string they are written otherwise.
    await this.text(`${this.form === 'ndjson' ? json.replace(/[\r\n]+/g, ' ') : json}\n`);
  }

  /** Writes a list as it comes; says how many there were. */
  async list<Row>(
    rows: AsyncIterable<Row> | Iterable<Row>,
    columns: readonly Column<Row>[],
  ): Promise<number> {
    return this.form === 'table' ? this.#table(rows, columns) : this.#jsonList(rows);
  }

  /** Bytes that are JSON lines already, from a server to standard output. */
  async jsonBytes(body: AsyncIterable<Uint8Array>): Promise<void> {
    if (!this.#guarded) {
      for await (const bytes of body) await this.text(bytes);
      return;
    }
    const decoder = new TextDecoder();
    for await (const bytes of body) await this.text(safeJson(decoder.decode(bytes, { stream: true })));
    await this.text(safeJson(decoder.decode()));
  }

  async #table<Row>(
    rows: AsyncIterable<Row> | Iterable<Row>,
    columns: readonly Column<Row>[],
  ): Promise<number> {
    const widths: number[] = [];
    let block: Row[] = [];
    let written = 0;
    const write = async () => {
      await this.lines(tableLines(columns, block, widths, written === 0));
      written += block.length;
      block = [];
    };
    for await (const row of rows) {
      block.push(row);
      if (block.length === BLOCK) await write();
    }
    if (block.length > 0) await write();
    return written;
  }

  async #jsonList(rows: AsyncIterable<unknown> | Iterable<unknown>): Promise<number> {
    const array = this.form === 'json';
    let written = 0;
    for await (const row of rows) {
      if (array) await this.text(written === 0 ? '[\n' : ',\n');
      const json = this.#guard(JSON.stringify(row));
      await this.text(array ? json : `${json}\n`);
      written += 1;
    }
    if (array) await this.text(written === 0 ? '[]\n' : '\n]\n');
    return written;
  }

  async #json(value: object, indent: number): Promise<void> {
    await this.text(`${this.#guard(JSON.stringify(value, null, indent))}\n`);
  }

  #guard(json: string): string {
    return this.#guarded ? safeJson(json) : json;
  }
}
