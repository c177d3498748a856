import { readdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isRunning, parentOf } from '../../src/embedded/own-processes.ts';

/** A server that was asked to end gets this long for it. */
const ENDS_WITHIN_MS = 5_000;

/**
 * Ends a process and all below it, those too that are no longer of its group: first those that could start others, which
 * are not asked, then what they had started, which is. Nothing of it is left when this resolves.
 */
export async function endTree(pid: number): Promise<void> {
  const own = [pid, ...(await childrenOf(pid))];
  // Halted, they start nothing while the others are looked for.
  for (const each of own) signal(each, 'SIGSTOP');
  const below = (await descendantsOf(pid)).filter((each) => !own.includes(each));
  for (const each of own) signal(each, 'SIGKILL');
  for (const each of below) signal(each, 'SIGTERM');
  const deadline = performance.now() + ENDS_WITHIN_MS;
  while ((await running(below)).length > 0 && performance.now() < deadline) await delay(50);
  for (const each of await running(below)) signal(each, 'SIGKILL');
}

/** All processes below this one: only on Linux. */
export async function descendantsOf(pid: number): Promise<number[]> {
  const parents = await parentsOfAll();
  const found = [pid];
  for (const each of found)
    for (const [child, parent] of parents) if (parent === each && !found.includes(child)) found.push(child);
  return found.slice(1);
}

async function childrenOf(pid: number): Promise<number[]> {
  return [...(await parentsOfAll())].filter(([, parent]) => parent === pid).map(([child]) => child);
}

async function parentsOfAll(): Promise<Map<number, number | undefined>> {
  const names = await readdir('/proc').catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  return new Map(await Promise.all(pids.map(async (pid) => [pid, await parentOf(pid)] as const)));
}

async function running(pids: readonly number[]): Promise<number[]> {
  const run = await Promise.all(pids.map(isRunning));
  return pids.filter((_, at) => run[at]);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}
