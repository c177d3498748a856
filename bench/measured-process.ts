import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** A process of a run whose cost is measured by what the kernel says of it and of all that it has started. */
export interface MeasuredProcess {
  name: string;
  pid: number;
  /** CPU time so far in milliseconds, of ended children too; the kernel counts in steps of 10 ms. */
  cpuMs(): number;
  /** Most memory at one time, MiB: resident of the process, or private of a server with shared memory. */
  peakMiB(): number;
  /** Starts to measure the peak again. */
  resetPeak(): void;
}

/** CPU milliseconds of a tick of `/proc/<pid>/stat` (`USER_HZ` is 100 on Linux). */
const TICK_MS = 10;

/** Measures a process that is one program, such as Node. */
export function measuredProcess(name: string, pid: number): MeasuredProcess {
  return {
    name,
    pid,
    cpuMs: () => ownCpuMs(pid),
    peakMiB: () => kib(pid, 'VmHWM') / 1_024,
    resetPeak: () => writeFileSync(`/proc/${pid}/clear_refs`, '5'),
  };
}

/** Measures a server of many processes with shared memory, such as Postgres; its peak is what was found by `sample`. */
export function measuredServer(name: string, pid: number): MeasuredProcess & { sample(): void } {
  let peak = 0;
  const sample = () => {
    peak = Math.max(peak, family(pid).reduce((sum, each) => sum + kib(each, 'RssAnon'), 0) / 1_024);
  };
  return {
    name,
    pid,
    cpuMs: () => family(pid).reduce((sum, each) => sum + ownCpuMs(each), 0),
    peakMiB() {
      sample();
      return peak;
    },
    resetPeak() {
      peak = 0;
    },
    sample,
  };
}

/** User and system time of a process and of its children that have ended and were waited for. */
function ownCpuMs(pid: number): number {
  const fields = read(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? [];
  return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at] ?? 0), 0) * TICK_MS;
}

function family(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((each) => Number(read(`/proc/${each}/stat`).split(') ').at(-1)?.split(' ')[1]) === pid);
  return [pid, ...children];
}

function kib(pid: number, field: string): number {
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
