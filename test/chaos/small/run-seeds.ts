import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runSeed, type SeedResult, type SmallWorld } from './run-seed.ts';
import { RECOVERIES } from './scenario.ts';

/** Which seeds are run, how large, and how many at a time. */
export interface SmallPlan {
  seeds: readonly number[];
  items: number;
  sideBySide: number;
  /** No further seed is begun when it is aborted. */
  stop?: AbortSignal;
  say(line: string): void;
}

/** A seed with which something was wrong. */
export interface FailedSeed {
  seed: number;
  faults: string[];
  /** The command that runs it alone. */
  command: string;
  /** The file with both ledgers, where there are any. */
  file?: string;
}

/** What came of many seeds. */
export interface SmallSummary {
  seeds: number;
  seconds: number;
  requests: number;
  doubled: number;
  leaseLost: number;
  /** Seeds in which a lease may have ended because the machine was busy. */
  stalled: number;
  processes: number;
  /** How often what was lost: a role, a role at a point, or a server. */
  losses: Record<string, number>;
  byRecovery: Record<string, number>;
  failed: FailedSeed[];
}

const SAID_EVERY_MS = 15_000;
/** Faults of one seed. */
const SAID = 20;
/** Of so few each one is told. */
const SAID_ONE_BY_ONE = 50;

/** Runs seeds side by side; each that fails is told at once, with the command that runs it alone. */
export async function runSeeds(plan: SmallPlan, world: SmallWorld): Promise<SmallSummary> {
  const startedAt = performance.now();
  const left = [...plan.seeds];
  const summary: SmallSummary = {
    ...{ seeds: 0, seconds: 0, requests: 0, doubled: 0, leaseLost: 0, stalled: 0, processes: 0 },
    ...{
      losses: {},
      byRecovery: Object.fromEntries(RECOVERIES.map((recovery) => [recovery, 0])),
      failed: [],
    },
  };
  let said = startedAt;
  const lane = async () => {
    for (let seed = left.shift(); seed !== undefined && !plan.stop?.aborted; seed = left.shift()) {
      const result = await runSeed(seed, plan.items, world).catch((error: Error) => error);
      summary.seeds += 1;
      if (result instanceof Error) {
        const faults = [error(result)];
        summary.failed.push({ seed, faults, command: commandFor(seed, plan.items) });
      } else {
        count(summary, result);
        if (result.faults.length > 0) summary.failed.push(await failed(result));
      }
      const failure = summary.failed.find((each) => each.seed === seed);
      if (failure) plan.say(inWords(failure));
      if (!(result instanceof Error) && plan.seeds.length <= SAID_ONE_BY_ONE) plan.say(lineOf(result));
      if (performance.now() - said < SAID_EVERY_MS) continue;
      said = performance.now();
      const seconds = Math.round((said - startedAt) / 1_000);
      plan.say(
        `${summary.seeds} of ${plan.seeds.length} seeds, ${seconds} s, ${summary.failed.length} failed`,
      );
    }
  };
  await Promise.all(Array.from({ length: Math.min(plan.sideBySide, plan.seeds.length) }, lane));
  summary.processes = world.hosts.started;
  summary.seconds = (performance.now() - startedAt) / 1_000;
  return summary;
}

/** The end of a run as a table. */
export function tableOf(summary: SmallSummary): string {
  const { seeds, seconds, requests, doubled, leaseLost, stalled, processes, losses, byRecovery, failed } =
    summary;
  const rows: [string, string | number][] = [
    ['seeds', seeds],
    ...Object.entries(byRecovery).map(([recovery, n]): [string, number] => [`of ${recovery}`, n]),
    ['seconds', `${seconds.toFixed(0)} (${(seconds / Math.max(1, seeds)).toFixed(2)} a seed)`],
    ['processes started', processes],
    ['requests', requests],
    ['attempts lost with their sender', leaseLost],
    ['seeds in which any could be, as the machine was busy', stalled],
    ['deliveries that were taken twice, every one explained', doubled],
    ...Object.entries(losses)
      .sort(([one], [other]) => one.localeCompare(other))
      .map(([what, n]): [string, number] => [`lost: ${what}`, n]),
    ['failed', failed.length],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}

/** A failed seed as it is told: what is wrong with one delivery is as a rule wrong with others, too. */
export function inWords({ seed, faults, command, file }: FailedSeed): string {
  return [
    `seed ${seed} failed; alone: ${command}`,
    ...(file === undefined ? [] : [`  its ledgers: ${file}`]),
    ...faults.slice(0, SAID).map((fault) => `  ${fault}`),
    ...(faults.length > SAID ? [`  and ${faults.length - SAID} more`] : []),
  ].join('\n');
}

function commandFor(seed: number, items: number): string {
  return `npm run chaos -- --seed ${seed} --items ${items}`;
}

function lineOf({
  scenario: { seed, recovery, roles, workers, beside },
  seconds,
  losses,
}: SeedResult): string {
  const done = beside.map(({ do: what }) => what).join(', ') || 'nothing';
  const lost = losses.join(', ') || 'nothing';
  return `seed ${seed}: ${recovery}, ${roles} ${workers}, ${seconds.toFixed(1)} s; beside it ${done}; lost ${lost}`;
}

function error({ stack, message }: Error): string {
  return stack ?? message;
}

function count(summary: SmallSummary, { scenario, losses, evidence }: SeedResult): void {
  summary.requests += evidence.requests.length;
  const taken = new Map<string, number>();
  for (const { id, answered = 0 } of evidence.requests)
    if (answered >= 200 && answered < 300) taken.set(id, (taken.get(id) ?? 0) + 1);
  summary.doubled += [...taken.values()].filter((times) => times > 1).length;
  summary.leaseLost += evidence.ledger.attempts.filter(
    ({ fault_code }) => fault_code === 'lease_lost',
  ).length;
  if (evidence.stalled) summary.stalled += 1;
  for (const what of losses) summary.losses[what] = (summary.losses[what] ?? 0) + 1;
  summary.byRecovery[scenario.recovery] = (summary.byRecovery[scenario.recovery] ?? 0) + 1;
}

async function failed({ scenario, faults, losses, evidence }: SeedResult): Promise<FailedSeed> {
  const { seed, items } = scenario;
  const file = join(await mkdtemp(join(tmpdir(), 'redrive-chaos-')), `seed-${seed}.json`);
  await writeFile(file, JSON.stringify({ faults, losses, ...evidence }, null, 1));
  return { seed, faults, file, command: commandFor(seed, items) };
}
