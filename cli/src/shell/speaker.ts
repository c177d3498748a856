import type { Writable } from 'node:stream';
import { guarded, type Screen, type Style, styleFor } from './style.ts';

/** Says things to whoever is at the terminal, on standard error; whoever wrote them, they do nothing to it. */
export class Speaker {
  readonly style: Style;
  readonly screen: Screen;
  readonly #stream: Writable;
  readonly #quiet: boolean;
  /** Lines of the block that is drawn again, and the columns that it was drawn for. */
  #drawn = 0;
  #columns = 0;

  constructor(stream: Writable, screen: Screen, quiet: boolean) {
    this.#stream = stream;
    this.screen = screen;
    this.#quiet = quiet;
    this.style = styleFor(screen.colours);
  }

  /** A line, unless it is to be quiet. */
  say(line = ''): void {
    if (!this.#quiet) this.#write(line);
  }

  /** A line in any case. */
  must(line: string): void {
    this.#write(line);
  }

  /** A block in the place of the one before. */
  draw(lines: readonly string[]): void {
    if (this.#quiet) return;
    // A terminal of another width has broken the lines anew: where the block begins is not known any more.
    if (this.screen.columns !== this.#columns) this.#drawn = 0;
    this.#columns = this.screen.columns;
    this.#stream.write(`${this.#erased()}${lines.map((line) => `${this.#guarded(line)}\n`).join('')}`);
    this.#drawn = lines.length;
  }

  /** What was drawn last stays, and the next block comes below it. */
  keep(): void {
    this.#drawn = 0;
  }

  /** A question, without the end of its line. */
  ask(question: string): void {
    this.#stream.write(this.#guarded(question));
  }

  #write(line: string): void {
    this.#stream.write(`${this.#erased()}${this.#guarded(line)}\n`);
    this.#drawn = 0;
  }

  #guarded(line: string): string {
    return guarded(line, this.screen.colours);
  }

  #erased(): string {
    return this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\u001b[J`;
  }
}
