import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { judge } from './goals.ts';
import { describeRun } from './machine.ts';
import { createProgress } from './progress.ts';
import { line, report } from './report.ts';
import { type Rig, startRig } from './rig.ts';
import { alternate, type Bench, type Case, FULL_ITEMS, type Sample, type Settings } from './scenario.ts';
import { bulkCases } from './scenarios/bulk.ts';
import { commandLine } from './scenarios/command-line.ts';
import { consoleScreens } from './scenarios/console.ts';
import { cost } from './scenarios/cost.ts';
import { figures } from './scenarios/figures.ts';
import { finish } from './scenarios/finish.ts';
import { imports } from './scenarios/import.ts';
import { ingest } from './scenarios/ingest.ts';
import { live } from './scenarios/live.ts';
import { memory } from './scenarios/memory.ts';
import { naiveCases } from './scenarios/naive.ts';
import { neighbours } from './scenarios/neighbours.ts';
import { plan } from './scenarios/plan.ts';
import { planning } from './scenarios/planning.ts';
import { rawCases } from './scenarios/raw.ts';
import { report as closureReport } from './scenarios/report.ts';
import { select } from './scenarios/select.ts';
import { single } from './scenarios/single.ts';
import { traces } from './scenarios/traces.ts';
import { upgrade } from './scenarios/upgrade.ts';
import { workers } from './scenarios/workers.ts';

/**
 * `npm run bench`: everything that is measured of Redrive, in one go on one rig. Rates are measured in turn with their
 * limits; `plan`, `import` and `select` come last, as they make the tables large. `--only bulk,single --items 20000 --rounds 1` for a quick
 * look.
 */
const RATES: Record<string, (bench: Bench) => Case[]> = { raw: rawCases, naive: naiveCases, bulk: bulkCases };
const OTHERS: Record<string, (bench: Bench) => Promise<void>> = {
  single,
  live,
  ingest,
  cost,
  memory,
  'command-line': commandLine,
  neighbours,
  workers,
  report: closureReport,
  console: consoleScreens,
  figures,
  finish,
  planning,
  traces,
  upgrade,
  plan,
  import: imports,
  select,
};
const NAMES = [...Object.keys(RATES), ...Object.keys(OTHERS)];

const QUICK: Settings = { items: 2_000, rounds: 1 };
const FULL: Settings = { items: FULL_ITEMS, rounds: 5 };

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    items: { type: 'string' },
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    'no-build': { type: 'boolean', default: false },
  },
});
const base = values.quick ? QUICK : FULL;
const settings: Settings = {
  items: Number(values.items ?? base.items),
  rounds: Number(values.rounds ?? base.rounds),
};
const only = values.only?.split(',') ?? NAMES;
const wrong = [
  ...only.filter((name) => !NAMES.includes(name)).map((name) => `there is no scenario ${name}`),
  ...Object.entries(settings)
    .filter(([, value]) => !(Number.isInteger(value) && value > 0))
    .map(([name]) => `--${name} must be a positive whole number`),
];
if (wrong.length > 0) {
  console.error(`${wrong.join('; ')}. Scenarios: ${NAMES.join(', ')}.`);
  process.exit(2);
}

const progress = createProgress();
let starting: Promise<Rig> | undefined;
let ending = false;
/** Ends all that was started; work that it interrupts fails, and is not heard of any more. */
async function end(code: number): Promise<never> {
  ending = true;
  progress.end();
  // One that is just starting is waited for: only it knows what it has started.
  await starting?.then((rig) => rig.close()).catch(() => {});
  process.exit(code);
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    if (!ending) void end(130);
  });

process.on('uncaughtException', (error) => {
  if (ending) return;
  console.error(error);
  void end(1);
});

try {
  if (!values['no-build'])
    await promisify(execFile)(process.execPath, [
      fileURLToPath(new URL('../scripts/build.mjs', import.meta.url)),
    ]);
  const step = progress.step('starting Postgres, Temporal, the service and the receiver');
  starting = startRig();
  const rig = await starting;
  step.end();
  await Promise.race([run(rig), rig.failed]);
  await end(0);
} catch (error) {
  if (!ending) {
    console.error(error);
    await end(1);
  }
}

async function run(on: Rig): Promise<void> {
  const samples: Sample[] = [];
  const bench: Bench = {
    rig: on,
    settings,
    progress,
    size: (full, { least = 100, most = Number.POSITIVE_INFINITY } = {}) =>
      Math.min(most, Math.max(least, Math.round((full * settings.items) / FULL_ITEMS))),
    record(sample) {
      samples.push(sample);
      progress.line(line(sample));
    },
  };
  const startedAt = new Date();
  const made = await describeRun(on);
  const wanted = <Value>(of: Record<string, Value>) =>
    Object.entries(of).flatMap(([name, value]) => (only.includes(name) ? [value] : []));
  await alternate(
    bench,
    wanted(RATES).flatMap((cases) => cases(bench)),
  );
  await write(false);
  for (const scenario of wanted(OTHERS)) {
    await scenario(bench);
    await write(false);
  }
  const file = await write(true);
  progress.end();
  const { cores, cpu, memoryGiB, node, postgres, temporal, redrive } = made;
  console.log(report(samples));
  console.log(
    `\n${cores} cores (${cpu}), ${memoryGiB} GiB; Node ${node}, Postgres ${postgres}, Temporal ${temporal}; Redrive ${redrive}; ` +
      `${settings.items.toLocaleString('en-US')} items in the base case${settings.items === FULL_ITEMS ? '' : ', and all other sizes, which names give in full, in proportion'}; all figures in bench/results/${file}`,
  );

  /** Also after each scenario: measurements before one that fails are not lost. Returns the file's name. */
  async function write(ended: boolean): Promise<string> {
    const directory = new URL('results/', import.meta.url);
    await mkdir(directory, { recursive: true });
    const whole =
      ended && only.length === NAMES.length && settings.items >= FULL.items && settings.rounds >= FULL.rounds;
    // A quick look must not take the place of the day's whole run.
    const name = `${startedAt.toISOString().slice(0, 10)}${whole ? '' : '-part'}.json`;
    await writeFile(
      new URL(name, directory),
      `${JSON.stringify({ startedAt, seconds: Math.round((Date.now() - startedAt.getTime()) / 1_000), settings, ...made, goals: judge(samples), samples }, null, 1)}\n`,
    );
    return name;
  }
}
