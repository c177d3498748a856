import { constants, open as openFd } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { promisify } from 'node:util';
import { Stop, usage } from '../../core/stop.ts';
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
  try {
    const found = await stat(file);
    if (found.isDirectory()) throw usage(`${file} is a folder.`);
    return found.isFile() ? await plain(file) : await piped(file);
  } catch (error) {
    throw error instanceof Stop ? error : unreadable(file, error);
  }
}

async function plain(file: string): Promise<Source> {
  // By its handle: it stays the same file, whatever is put in its place meanwhile.
  const handle = await open(file, 'r');
  return {
    name: file,
    size: (await handle.stat()).size,
    read: () => handle.createReadStream({ start: 0, autoClose: false }),
    close: () => handle.close(),
  };
}

/** As a socket: a read that waits for whoever writes would keep a process from ending. */
async function piped(file: string): Promise<Source> {
  const fd = await promisify(openFd)(file, constants.O_RDONLY | constants.O_NONBLOCK);
  const pipe = new Socket({ fd, readable: true, writable: false });
  return {
    name: '<file>',
    size: undefined,
    read: () => pipe,
    async close() {
      pipe.destroy();
    },
  };
}
