import { inForeground } from './own-processes.ts';

/**
 * What people type where this process runs; undefined where that is no terminal. A terminal stops a process that reads
 * from it in the background, so nothing is read there.
 */
export async function terminalInput(): Promise<NodeJS.ReadableStream | undefined> {
  const { stdin } = process;
  if (stdin.isTTY !== true || !(await inForeground(process.pid))) return undefined;
  process.on('SIGCONT', () => {
    void inForeground(process.pid).then((foreground) => (foreground ? stdin.resume() : stdin.pause()));
  });
  return stdin;
}
