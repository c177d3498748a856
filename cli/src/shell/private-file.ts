import { randomBytes } from 'node:crypto';
import { chmod, type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { reasonOf } from '../core/mistake.ts';
import { usage } from '../core/stop.ts';

/** Space that is taken before anything secret is made: a disk that is full says so by then. */
const TAKEN_BYTES = 4_096;

/** A file for its owner alone, which takes the place of one that may be there once it has been written. */
export class PrivateFile {
  readonly #file: string;
  readonly #unfinished: string;
  readonly #handle: FileHandle;

  constructor(file: string, unfinished: string, handle: FileHandle) {
    this.#file = file;
    this.#unfinished = unfinished;
    this.#handle = handle;
  }

  async write(text: string): Promise<void> {
    try {
      const bytes = Buffer.from(text);
      await this.#handle.write(bytes, 0, bytes.length, 0);
      await this.#handle.truncate(bytes.length);
      await this.#handle.sync();
      await this.#handle.close();
      await rename(this.#unfinished, this.#file);
    } catch (error) {
      await this.discard();
      throw error;
    }
  }

  /** Leaves what was there. */
  async discard(): Promise<void> {
    await this.#handle.close().catch(() => {});
    await rm(this.#unfinished, { force: true }).catch(() => {});
  }
}

/** Tries whether a file can be written; whatever can go wrong goes wrong here, before there is something to lose. */
export async function openPrivately(file: string): Promise<PrivateFile> {
  const there = await stat(file).catch(() => undefined);
  // A device or a pipe would be replaced, a folder cannot be.
  if (there && !there.isFile()) throw usage(`${file} is no plain file.`);
  // A name of its own: in containers each process may have the same number.
  const unfinished = `${file}.${randomBytes(6).toString('hex')}`;
  const handle = await open(unfinished, 'wx', 0o600);
  const opened = new PrivateFile(file, unfinished, handle);
  try {
    // Whatever the umask took away.
    await chmod(unfinished, 0o600);
    await handle.write(Buffer.alloc(TAKEN_BYTES, ' '), 0, TAKEN_BYTES, 0);
    await handle.sync();
  } catch (error) {
    await opened.discard();
    throw error;
  }
  return opened;
}

/** Opens a file that somebody named, in a folder that is there; that it cannot be written is a mistake of the command. */
export async function openNamed(file: string): Promise<PrivateFile> {
  try {
    return await openPrivately(file);
  } catch (error) {
    throw error instanceof Error && 'code' in error
      ? usage(`${file} cannot be written: ${reasonOf(error)}.`)
      : error;
  }
}

/** Writes a file of one's own, with its folder: for its owner alone, in the place of one that may be there. */
export async function writePrivately(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await (await openPrivately(file)).write(text);
}
