import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { answerOf, errorOf } from '@redrive/client';
import { mistakeOf, reasonOf } from '../../core/mistake.ts';
import { mayPass, Patience } from '../../core/patience.ts';
import { Stop } from '../../core/stop.ts';
import { counted, percent, whole } from '../../core/text.ts';
import { behindLines, LineCounter } from '../../core/upload.ts';
import type { Api } from '../../shell/api.ts';
import type { Context } from '../../shell/context.ts';
import type { Import } from './import-view.ts';
import type { Source } from './source.ts';

/** Breaks of one upload without a line that was taken between them. */
const MOST_BREAKS = 5;
const FIRST_WAIT_MS = 500;
const SHOWN_EVERY_MS = 2_000;

/** An upload of one source to one import. */
export class Upload {
  readonly #context: Context;
  readonly #api: Api;
  readonly #source: Source;
  readonly #patienceMs: number | undefined;
  /** The import, as far as it is known to have come. */
  #at: Import;

  constructor(context: Context, api: Api, source: Source, opened: Import, patienceMs: number | undefined) {
    this.#context = context;
    this.#api = api;
    this.#source = source;
    this.#at = opened;
    this.#patienceMs = patienceMs;
  }

  /** Sends all of it, again from where it was taken where the connection breaks, and closes the import. */
  async run(): Promise<Import> {
    const lines = await this.#sendAll();
    const closing = { params: { path: { id: this.#at.id } }, body: { lines } };
    return this.#patiently(() => answerOf(this.#api.calls.POST('/api/v1/imports/{id}/close', closing)));
  }

  /** Says how many lines there are. */
  async #sendAll(): Promise<number> {
    for (let breaks = 0; ; ) {
      const counter = new LineCounter();
      const before = this.#at.nextLine;
      try {
        await this.#send(counter);
        return counter.lines;
      } catch (error) {
        if (!mayPass(error)) throw error;
        await this.#find(error);
        breaks = this.#at.nextLine > before ? 0 : breaks + 1;
        if (breaks === MOST_BREAKS) throw error;
        // Where uploads that broke still have their places, the server says for how long.
        if (breaks > 0) await pause(Math.max(retryAfterOf(error) ?? 0, FIRST_WAIT_MS * 2 ** breaks));
      }
    }
  }

  async #send(counter: LineCounter): Promise<void> {
    const { size } = this.#source;
    const show = () => this.#context.speaker.say(uploadLine(counter, size));
    const timer = setInterval(show, SHOWN_EVERY_MS);
    let unreadable: unknown;
    const parts = behindLines(
      watched(this.#source.read(), (error) => {
        unreadable = error;
      }),
      this.#at.nextLine - 1,
      counter,
    );
    try {
      // Readable.from waits for whoever takes it: what is read and not sent stays small.
      await sendLines(
        this.#api,
        this.#at,
        Readable.toWeb(Readable.from(parts)) as ReadableStream<Uint8Array>,
      );
    } catch (error) {
      // A request whose body breaks looks like a connection that breaks.
      if (unreadable === undefined) throw error;
      throw new Stop('failed', `What is uploaded cannot be read to its end: ${reasonOf(unreadable)}.`);
    } finally {
      clearInterval(timer);
    }
  }

  /** Waits until the server is there again, and asks how far the import has come. */
  async #find(error: unknown): Promise<void> {
    const { speaker } = this.#context;
    speaker.say(`The upload broke: ${mistakeOf(error).what}`);
    await pause(FIRST_WAIT_MS);
    const path = { params: { path: { id: this.#at.id } } };
    this.#at = await this.#patiently(() => answerOf(this.#api.calls.GET('/api/v1/imports/{id}', path)));
    const { id, state, nextLine } = this.#at;
    if (state !== 'open') throw takesNone(id, state);
    if (this.#source.size === undefined)
      throw new Stop(
        'failed',
        `The upload broke at line ${whole(nextLine)}, and what was piped in cannot be read again.`,
      );
    speaker.say(`It goes on at line ${whole(nextLine)}.`);
  }

  /** Makes a call until it is answered, or the server has been away for too long. */
  async #patiently<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    const patience = new Patience(this.#patienceMs);
    for (;;) {
      try {
        return await call();
      } catch (error) {
        const waitMs = mayPass(error) ? patience.next(retryAfterOf(error)) : undefined;
        if (waitMs === undefined) throw error;
        await pause(waitMs);
      }
    }
  }
}

function retryAfterOf(error: unknown): number | undefined {
  return (error as { retryAfterMs?: number }).retryAfterMs;
}

/** That an import has ended otherwise than by what was sent to it. */
export function takesNone(id: string, state: string): Stop {
  return new Stop(
    'failed',
    `${id} is ${state}, and takes no lines.`,
    'open another one: lines that were taken are known',
  );
}

/** Sends lines as they are read. */
async function sendLines(
  { raw }: Api,
  { id, nextLine }: Pick<Import, 'id' | 'nextLine'>,
  body: ReadableStream<Uint8Array>,
): Promise<void> {
  // By `raw`: a body that can be read once is sent once, and nothing of it is kept.
  const response = await raw(`/api/v1/imports/${encodeURIComponent(id)}/lines?from=${nextLine}`, {
    method: 'PUT',
    body,
    headers: { 'content-type': 'application/x-ndjson' },
  });
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw errorOf(answer, response);
}

/** Parts as they are, with whoever reads them told why they end too early. */
async function* watched(parts: AsyncIterable<Uint8Array>, onError: (error: unknown) => void) {
  try {
    yield* parts;
  } catch (error) {
    onError(error);
    throw error;
  }
}

function uploadLine({ lines, bytes }: LineCounter, size: number | undefined): string {
  return `${counted(lines, 'line')}${size === undefined ? '' : `, ${percent(Math.min(bytes, size), size)}`}`;
}
