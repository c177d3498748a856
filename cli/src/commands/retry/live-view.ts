import type { Context } from '../../shell/context.ts';
import { type Progress, progressBlock, progressLine } from './progress-view.ts';

type Shown = Pick<Context, 'speaker' | 'outIsTerminal' | 'now'> & { out: Pick<Context['out'], 'form'> };

/** Between two lines where nothing can be drawn again. */
const LINE_EVERY_MS = 5_000;
/** Between two pictures of a terminal, for the clock that runs on them. */
const DRAW_EVERY_MS = 1_000;

/** Shows how an operation goes: a block in its place on a terminal, a line now and then elsewhere. */
export class LiveView {
  operation: Progress | undefined;
  readonly #context: Shown;
  readonly #began = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #redraws: boolean;
  /** Nothing is known yet, or not any more. */
  #isOld = true;
  #hasEnded = false;

  constructor(context: Shown) {
    const { speaker, out, outIsTerminal } = context;
    this.#context = context;
    // A block would erase the lines of data that come to the same terminal between two pictures of it.
    this.#redraws = speaker.screen.redraws && !(outIsTerminal && out.form === 'ndjson');
    this.#timer = setInterval(() => this.#draw(), this.#redraws ? DRAW_EVERY_MS : LINE_EVERY_MS);
  }

  show(operation: Progress): void {
    const isNew = this.#isOld;
    this.#isOld = false;
    this.operation = operation;
    if (isNew || this.#redraws) this.#draw();
  }

  /** Nobody knows how it goes: what was known is not said with the time of now. */
  isAway(): void {
    this.#isOld = true;
  }

  /** Shows how it is, unless the stream tells something newer before that is known. */
  async catchUp(asked: Promise<Progress>): Promise<void> {
    const operation = await asked.catch(() => undefined);
    if (operation && this.#isOld && !this.#hasEnded) this.show(operation);
  }

  end(): void {
    this.#hasEnded = true;
    clearInterval(this.#timer);
    this.#context.speaker.keep();
  }

  #draw(): void {
    const { speaker, now } = this.#context;
    if (!this.operation || this.#isOld) return;
    const seconds = (performance.now() - this.#began) / 1_000;
    if (this.#redraws)
      speaker.draw(progressBlock(this.operation, seconds, speaker.screen.columns, speaker.style));
    else speaker.say(progressLine(this.operation, now()));
  }
}
