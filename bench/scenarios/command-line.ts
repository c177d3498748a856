import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Figures, percentiles } from '../figures.ts';
import { measuredProcess } from '../measured-process.ts';
import { loadOutage } from '../outage-table.ts';
import type { Bench } from '../scenario.ts';
import { newScene } from '../scene.ts';

const BIN = fileURLToPath(new URL('../../cli/bin/redrive.js', import.meta.url));
const STARTS = 20;
const LOOK_EVERY_MS = 20;

/**
 * How soon the built command line starts, and its most memory where it writes a list of a hundred thousand, and of a million:
 * what it holds does not grow with what it writes.
 */
export async function commandLine(bench: Bench): Promise<void> {
  for (const [name, args] of [
    ['redrive --version', ['--version']],
    ['redrive retry run --help', ['retry', 'run', '--help']],
  ] as const) {
    const times: number[] = [];
    for (let n = 0; n < STARTS; n++) {
      const beganMs = performance.now();
      await run(args, {});
      times.push(performance.now() - beganMs);
    }
    bench.record({ name, round: 1, figures: { startMs: percentiles(times) } });
  }
  await bench.rig.setWorkers(0);
  for (const [label, full] of [
    ['100k', 100_000],
    ['1M', 1_000_000],
  ] as const)
    await exported(bench, label, bench.size(full, { least: 1_000 }));
}

async function exported({ rig, progress, record }: Bench, label: string, rows: number): Promise<void> {
  const scene = await newScene(rig, { endpoints: 20 });
  const step = progress.step(`loading ${rows.toLocaleString('en-US')} deliveries`);
  const table = { ...scene, part: Math.ceil(rows / 10), kind: 'outage' } as const;
  await loadOutage(rig.pool, table, { from: 0, to: rows, at: (done) => progress.at(done, rows) });
  await rig.pool.query('vacuum analyze');
  step.end();
  const beganMs = performance.now();
  const { lines, peakMiB } = await run(['deliveries', 'export', '-q'], {
    REDRIVE_URL: rig.url,
    REDRIVE_KEY: scene.key,
  });
  if (lines !== rows) throw new Error(`${rows} deliveries were exported as ${lines} lines`);
  const figures: Figures = { linesPerSecond: lines / ((performance.now() - beganMs) / 1_000), peakMiB };
  record({ name: `redrive deliveries export, ${label}`, round: 1, figures });
}

/** Runs a command to its end; the lines that it wrote, and the most memory that it had. */
async function run(
  args: readonly string[],
  env: Record<string, string>,
): Promise<{ lines: number; peakMiB: number }> {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { peakMiB } = measuredProcess('redrive', child.pid ?? 0);
  let peak = 0;
  const look = () => {
    try {
      peak = Math.max(peak, peakMiB());
    } catch {
      // It has ended.
    }
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  let lines = 0;
  child.stdout.on('data', (bytes: Buffer) => {
    for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) lines += 1;
  });
  const [code] = await once(child, 'close');
  clearInterval(timer);
  if (code !== 0) throw new Error(`redrive ${args.join(' ')} ended with ${code}`);
  return { lines, peakMiB: peak };
}
