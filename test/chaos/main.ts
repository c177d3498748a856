import { parseArgs } from 'node:util';
import { runLarge } from './large.ts';
import { runSmall } from './small/run-small.ts';

/**
 * `npm run chaos -- --items 50000 --seed 1`: kills everything there is, at random, and compares the ledgers.
 * `npm run chaos -- --seeds 1000 --items 500`: many small runs, each of which can be run again alone by its seed.
 */
const { values } = parseArgs({
  options: {
    items: { type: 'string' },
    seed: { type: 'string' },
    /** So many small ones, from `from` on. */
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    'side-by-side': { type: 'string', default: '6' },
    workers: { type: 'string', default: '3' },
    rate: { type: 'string', default: '800' },
    kills: { type: 'string', default: '24' },
  },
});

/** A run of more items is a large one. */
const SMALL_UP_TO = 5_000;

const items = Number(values.items ?? (values.seeds === undefined ? 50_000 : 500));
const say = (line: string) => process.stdout.write(`${line}\n`);
const isSound =
  items <= SMALL_UP_TO
    ? await runSmall({
        seeds: seedsOf(values),
        items,
        sideBySide: Number(values['side-by-side']),
        say,
      })
    : await runLarge({
        items,
        seed: Number(values.seed ?? Date.now() % 100_000),
        workers: Number(values.workers),
        ratePerSecond: Number(values.rate),
        kills: { workers: Number(values.kills), api: 3, postgres: 2, temporal: 2 },
        say,
      });
process.exitCode = isSound ? 0 : 1;

function seedsOf({ seed, seeds, from }: typeof values): number[] {
  if (seeds === undefined) return [Number(seed ?? Date.now() % 100_000)];
  return Array.from({ length: Number(seeds) }, (_, at) => Number(from) + at);
}
