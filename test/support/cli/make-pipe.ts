import { execFileSync } from 'node:child_process';

/** Makes a named pipe: what is written into it can be read once. */
export function makePipe(path: string): void {
  execFileSync('sh', ['-c', 'mkfifo "$0"', path]);
}
