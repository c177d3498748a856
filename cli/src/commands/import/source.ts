import { type FileHandle, open } from 'node:fs/promises';
import { usage } from '../../core/stop.ts';
import type { Context } from '../../shell/context.ts';
import { unreadable } from '../../shell/files.ts';

/** What is uploaded: a file, or what can be read once, as standard input and pipes. */
export interface Source {
  /** As the next command line names it. */
  name: string;
  /** How many bytes it has; undefined where it can be read once, and has no end that is known. */
  size: number | undefined;
  /** From its beginning. */
  read: () => AsyncIterable<Uint8Array>;
  close: () => Promise<void>;
}

/** Opens what is to be uploaded: what cannot be read is said before anything is made of it. */
export async function openSource({ stdin }: Context, file: string): Promise<Source> {
  if (file === '-') {
    if (stdin.isTTY) throw usage('Standard input is a terminal: give a file, or pipe something in.');
    return { name: '<file>', size: undefined, read: () => stdin, close: async () => {} };
  }
  const handle = await opened(file);
  const stat = await handle.stat();
  if (stat.isDirectory()) throw usage(`${file} is a folder.`);
  // By its handle: it stays the same file, whatever is put in its place meanwhile.
  return {
    ...(stat.isFile() ? { name: file, size: stat.size } : { name: '<file>', size: undefined }),
    read: () => handle.createReadStream({ autoClose: false, ...(stat.isFile() ? { start: 0 } : {}) }),
    close: () => handle.close(),
  };
}

async function opened(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r');
  } catch (error) {
    throw unreadable(file, error);
  }
}
