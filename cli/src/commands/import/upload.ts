import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { Stop, usage } from '../../core/stop.ts';
import { counted, percent, whole } from '../../core/text.ts';
import { behindLines, LineCounter } from '../../core/upload.ts';
import type { Api } from '../../shell/api.ts';
import type { Context } from '../../shell/context.ts';
import { type Import, importCall, sendLines } from './import-calls.ts';

/** Breaks of one upload without a line that was taken between them. */
const MOST_BREAKS = 5;
const SHOWN_EVERY_MS = 2_000;

/** A file, and how long it is; standard input has no end that is known. */
export interface Upload {
  file: string;
  size: number | undefined;
}

/** The file that is to be sent, which has to be there. */
export async function uploadOf(file: string): Promise<Upload> {
  return { file, size: file === '-' ? undefined : await sizeOf(file) };
}

/** Sends a file, again from where it was taken where the connection breaks; says how many lines it has. */
export async function upload(
  context: Context,
  api: Api,
  { file, size }: Upload,
  opened: Import,
): Promise<number> {
  const { speaker } = context;
  const again = `redrive import ${file} --resume ${opened.id}`;
  let at = opened;
  for (let breaks = 0; ; ) {
    const counter = new LineCounter();
    let read = 0;
    const show = () => speaker.say(uploadLine(counter.lines, read, size));
    const timer = setInterval(show, SHOWN_EVERY_MS);
    try {
      const source: AsyncIterable<Uint8Array> = file === '-' ? context.stdin : createReadStream(file);
      const parts = counting(behindLines(source, at.nextLine - 1, counter), (bytes) => {
        read += bytes;
      });
      // Readable.from waits for whoever takes it: what is read and not sent stays small.
      await sendLines(api, at, Readable.toWeb(Readable.from(parts)) as ReadableStream<Uint8Array>);
      return counter.lines;
    } catch (error) {
      const now = await taken(api, opened.id, error);
      breaks = now.nextLine > at.nextLine ? 0 : breaks + 1;
      if (file === '-')
        throw new Stop(
          'failed',
          `The upload broke at line ${now.nextLine}, and standard input cannot be read again.`,
          `redrive import <file> --resume ${opened.id}`,
        );
      if (breaks >= MOST_BREAKS)
        throw new Stop('failed', `The upload broke at line ${whole(now.nextLine)}.`, again);
      at = now;
      speaker.say(`The connection was lost: it goes on at line ${whole(now.nextLine)}.`);
    } finally {
      clearInterval(timer);
    }
  }
}

/** How far an import has come, after an error; one that asking again does not mend is thrown. */
async function taken(api: Api, id: string, error: unknown): Promise<Import> {
  const isRefusal =
    error instanceof Error &&
    error.name === 'ProblemError' &&
    'code' in error &&
    error.code !== 'temporarily_unavailable';
  if (isRefusal || error instanceof Stop) throw error;
  const now = await importCall<Import>(api, 'GET', `/${encodeURIComponent(id)}`);
  if (now.state !== 'open')
    throw new Stop(
      'failed',
      `${id} is ${now.state}, and takes no lines.`,
      'open another one: lines that were taken are known',
    );
  return now;
}

async function* counting(parts: AsyncIterable<Uint8Array>, onBytes: (bytes: number) => void) {
  for await (const part of parts) {
    onBytes(part.length);
    yield part;
  }
}

function uploadLine(lines: number, read: number, size: number | undefined): string {
  return `${counted(lines, 'line')}${size === undefined ? '' : `, ${percent(Math.min(read, size), size)}`}`;
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    throw usage(
      `${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}.`,
    );
  }
}
