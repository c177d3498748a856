import type { Figures } from './figures.ts';
import type { Progress } from './progress.ts';
import type { Rig } from './rig.ts';

/** The items of the base case at full size; every size is a share of it. */
export const FULL_ITEMS = 100_000;

/** How much is measured. */
export interface Settings {
  items: number;
  rounds: number;
}

/** One measurement of a case. */
export interface Sample {
  name: string;
  round: number;
  figures: Figures;
}

/** The context of a scenario. */
export interface Bench {
  rig: Rig;
  settings: Settings;
  progress: Progress;
  /** A size in proportion to the items that were asked for, within bounds. */
  size(full: number, bounds?: { least?: number; most?: number }): number;
  /** Keeps a measurement. */
  record(sample: Sample): void;
}

/** Something that is measured beside others. */
export interface Case {
  name: string;
  /** Rounds at most; as many as were asked for where left out. */
  rounds?: number;
  measure(bench: Bench): Promise<Figures>;
}

/** Measures cases in turn, round by round, so that other work of the machine meets all of them. */
export async function alternate(bench: Bench, cases: readonly Case[]): Promise<void> {
  for (let round = 1; round <= bench.settings.rounds; round++)
    for (const { name, rounds = round, measure } of cases)
      if (round <= rounds) {
        const step = bench.progress.step(`${name} (round ${round} of ${bench.settings.rounds})`);
        const figures = await inTime(name, measure(bench)).finally(step.end);
        bench.record({ name, round, figures });
      }
}

/** A case that takes longer hangs. */
const LONGEST_MS = 30 * 60_000;

async function inTime<Result>(name: string, measuring: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name} does not end`)), LONGEST_MS);
  });
  return Promise.race([measuring, late]).finally(() => clearTimeout(timer));
}
