import { setMaxListeners } from 'node:events';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import type { EndpointPresets } from '../domain/endpoints/preset.ts';
import { OUTAGE_RULES, type OutageRules } from '../domain/outages/outage-rules.ts';
import { importsChore } from '../ingest/imports/imports-chore.ts';
import type { Chore, ChoreDeps } from '../loops/chore.ts';
import { repeat } from '../loops/repeat.ts';
import { Wake } from '../loops/wake.ts';
import { listenersChore } from '../operations/listeners/listeners-chore.ts';
import { outagesChore } from '../operations/outages/outages-chore.ts';
import { freezeWindowsChore } from '../operations/policy/freeze-windows-chore.ts';
import { createRecoveryDeps } from '../operations/recovery-client.ts';
import { watchedControl } from '../operations/send-operation.ts';
import type { AddressGuard } from '../outbound/address-guard.ts';
import { createAttemptClient } from '../outbound/attempt.ts';
import type { EgressProxy } from '../outbound/egress-proxy.ts';
import { addendaChore } from '../proof/addenda-chore.ts';
import { pruningChore } from '../proof/pruning-chore.ts';
import { ReportSigner } from '../proof/report-signer.ts';
import type { Sealer } from '../sealing/sealing.ts';
import { EarlySlices } from '../sending/early-slices.ts';
import { EndpointMemory } from '../sending/endpoint-memory.ts';
import { HandOvers } from '../sending/hand-over.ts';
import { LiveTraffic } from '../sending/live-traffic.ts';
import { OwnShortages } from '../sending/own-shortages.ts';
import { RunningSlices } from '../sending/running-slices.ts';
import type { LeaseTimes, SendingContext } from '../sending/sending-context.ts';
import { SpareSockets } from '../sending/spare-sockets.ts';
import { TargetCache } from '../sending/target-cache.ts';
import { Turns } from '../sending/turns.ts';
import type { Pool } from '../store/db/pool.ts';
import { sampleOperations } from '../store/figures/operation-samples.ts';
import { onAskedWeek } from '../store/partitions/ask-for-week.ts';
import { ASKED_CHANNEL } from '../store/partitions/without-partition.ts';
import { LIVE_CHANNEL, listenByItself } from '../store/sending/live-notices.ts';
import { checkIn, checkOut } from '../store/sending/workers.ts';
import { errorCode } from '../telemetry/error-code.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { GaugePart } from '../telemetry/seen-in-postgres.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import type { TaskQueues } from '../temporal/task-queues.ts';
import type { TemporalHolder } from '../temporal/temporal-holder.ts';
import { announcingChore } from './announcing.ts';
import { AuditSealer } from './audit-sealer.ts';
import { ChangeTeller } from './change-teller.ts';
import { ClockCheck } from './clock-check.ts';
import { expiryChore } from './expiry-chore.ts';
import { figuresChore } from './figures-chore.ts';
import { counted, showGauges, showSlowGauges, unknownGauge } from './gauges.ts';
import { LeftBehind } from './left-behind.ts';
import { LiveLane } from './live-lane.ts';
import { filesFor, openFilesLimit } from './open-files.ts';
import { Prober } from './prober.ts';
import { rateBucketsChore } from './rate-buckets-chore.ts';
import { removalChore } from './removal-chore.ts';
import { resealingChores } from './resealing-chore.ts';
import { statisticsChore } from './statistics-chore.ts';
import { Sweeper } from './sweeper.ts';
import { TemporalWorkers } from './temporal-workers.ts';
import { WeekKeeper } from './week-keeper.ts';

/** The parts that a worker is made of, and its sizes. */
export interface WorkerDeps {
  pool: Pool;
  /** The live lane's own: first deliveries never wait for a connection behind the selections of many operations. */
  livePool: Pool;
  /** Other pools of this process through which a week may be asked for: a notice may be lost, a call is not. */
  otherPools: readonly Pool[];
  databaseUrl: string;
  temporal: TemporalHolder;
  queues: TaskQueues;
  guard: AddressGuard;
  /** Requests leave by it, where there is one. */
  proxy: EgressProxy | undefined;
  sealer: Sealer;
  /** The surfaces' presets for endpoints of their clients, and their chores. */
  presets: EndpointPresets;
  chores(deps: ChoreDeps): Chore[];
  workflowBundle: string;
  version: string;
  log: Logger;
  metrics: Metrics;
  tracing?: Tracing | undefined;
  sizes?: Partial<WorkerSizes>;
}

/** How much one worker does at once. */
export interface WorkerSizes {
  bulkSlices: number;
  socketsPerSlice: number;
  liveSockets: number;
  /** Of all slices together, where endpoints take their time. */
  spareSockets: number;
  sliceBudgetMs: number;
  sweepEveryMs: number;
  lease: LeaseTimes;
  outages: Partial<OutageRules>;
}

const DEFAULT_SIZES: WorkerSizes = {
  bulkSlices: 4,
  // Claims of 128 items and more: a claim has a cost of its own, whatever it takes.
  socketsPerSlice: 256,
  liveSockets: 128,
  spareSockets: 4_096,
  sliceBudgetMs: 60_000,
  sweepEveryMs: 5_000,
  lease: { startWithinMs: 5_000, marginMs: 2_000 },
  outages: {},
};

/** Below the time within which a claimed item must be on the wire, so that a slow connection ends as an attempt. */
const CONNECT_TIMEOUT_MS = 4_000;
const CHECK_IN_MS = 1_000;
const GAUGES_MS = 5_000;
const SLOW_GAUGES_MS = 15_000;
/** How often those who follow a tenant are told that something has moved. */
const CHANGES_MS = 250;
/** How often the counts of operations are looked at for their charts. */
const SAMPLE_MS = 1_000;
/** An act has its place in the audit chain within a second. */
const SEAL_MS = 500;
const CHECKPOINT_LOOK_MS = 15_000;

/** A running worker. */
export interface RunningWorker {
  /** Takes nothing more, drains what is on the wire, records it, and ends. */
  stop(): Promise<void>;
}

/** Starts the worker of this process: Temporal workers, the live lane and the sweeper. */
export async function startWorker(deps: WorkerDeps): Promise<RunningWorker> {
  const { pool, log, metrics, temporal, queues } = deps;
  const sizes = { ...DEFAULT_SIZES, ...deps.sizes };
  const outages: OutageRules = { ...OUTAGE_RULES, ...sizes.outages };
  // Slices that send early, and those of what is left behind, have as many as Temporal's each.
  const always = sizes.liveSockets + 3 * sizes.bulkSlices * sizes.socketsPerSlice;
  const openFiles = filesFor(await openFilesLimit(), always, sizes.spareSockets);
  const { spareSockets, mostSockets } = openFiles;
  if (openFiles.wanted > openFiles.limit) log.warn({ event: 'worker.few_open_files', ...openFiles });
  const stopping = new AbortController();
  const stop = stopping.signal;
  // Every step that runs listens to it; as many as there are is no leak.
  setMaxListeners(0, stop);
  const sending = sendingContextOf(deps, sizes, { spareSockets, mostSockets, outages });
  const signer = new ReportSigner(deps.sealer);
  const early = new EarlySlices(sizes.bulkSlices, stop);
  const running = new RunningSlices();
  const self = { id: uuidv7(), host: hostname(), pid: process.pid };
  const clock = new ClockCheck({ log, metrics });
  let share = await clock.around(() => checkIn(pool, { ...self, polling: false, operations: [] }));
  const leftBehindSlices = new EarlySlices(sizes.bulkSlices, stop);
  const leftBehind = new LeftBehind({
    sending,
    // Of their own: selections of this worker that send meanwhile must not be in the way.
    slices: leftBehindSlices,
    running,
    workerId: self.id,
    sockets: sizes.socketsPerSlice,
    control: (operationId) => watchedControl(sending, operationId),
  });
  const live = { pool: deps.livePool, targets: new TargetCache(deps.livePool, deps.sealer) };
  const lane = new LiveLane({
    sending: { ...sending, ...live },
    sockets: sizes.liveSockets,
    share: () => share,
    stop,
  });
  const recovery = createRecoveryDeps(pool, temporal, queues, log);
  const weeks = new WeekKeeper({ pool, log, metrics, stop });
  for (const own of [pool, deps.livePool, ...deps.otherPools]) onAskedWeek(own, (week) => weeks.ask(week));
  const chores = (of: ChoreDeps): Chore[] => [
    ...deps.chores(of),
    importsChore(of),
    addendaChore(of, signer),
    announcingChore(of, signer),
    pruningChore(of),
    removalChore(of),
    weeks.chore(of),
    freezeWindowsChore(of),
    outagesChore(of, recovery, outages),
    listenersChore(of, recovery),
    figuresChore(of),
    rateBucketsChore(of),
    expiryChore(of),
    statisticsChore(of),
    ...resealingChores(of, { sealer: deps.sealer, metrics, log }),
  ];
  const sweeper = new Sweeper({
    ...{ pool, temporal, queues, log, metrics, chores, stop },
    everyMs: sizes.sweepEveryMs,
  });
  const audit = new AuditSealer({ pool, signer, log, stop });
  const workers = new TemporalWorkers({
    temporal,
    queues,
    activities: {
      sending,
      signer,
      early,
      running,
      socketsPerSlice: sizes.socketsPerSlice,
      sliceBudgetMs: sizes.sliceBudgetMs,
      stopping: stop,
    },
    workflowBundle: deps.workflowBundle,
    bulkSlices: sizes.bulkSlices,
    log,
    stop,
  });
  const changes = new ChangeTeller(pool);
  // The worker that has lived longest: there is one, and most of the time it stays the same.
  const countUnknown = unknownGauge(metrics, pool, () => share.index === 0);
  const gauges = (part: GaugePart, everyMs: number, look: () => Promise<void>) =>
    every(everyMs, new Wake(stop), stop, log, 'gauges', counted(metrics, part, look));
  metrics.read.expected();
  const seen = new Wake(stop);
  // At once, and not at the next turn: a worker that dies within that second would leave work behind without a word.
  running.onNew = () => seen.poke();
  const loops = Promise.all([
    lane.run(),
    sweeper.run(),
    new Prober(sending, stop).run(),
    workers.run(),
    listenByItself(
      deps.databaseUrl,
      { [LIVE_CHANNEL]: () => lane.wake(), [ASKED_CHANNEL]: (week) => weeks.ask(week) },
      stop,
    ),
    every(CHECK_IN_MS, seen, stop, log, 'check_in', async () => {
      const { polling } = workers;
      share = await clock.around(() => checkIn(pool, { ...self, polling, operations: running.operations }));
    }),
    every(CHECK_IN_MS, new Wake(stop), stop, log, 'left_behind', () => leftBehind.look()),
    every(SEAL_MS, new Wake(stop), stop, log, 'audit', () => audit.seal()),
    every(CHECKPOINT_LOOK_MS, new Wake(stop), stop, log, 'audit', () => audit.checkpoint()),
    every(SAMPLE_MS, new Wake(stop), stop, log, 'samples', () => sampleOperations(pool)),
    every(CHANGES_MS, new Wake(stop), stop, log, 'changes', () => changes.look()),
    gauges('quick', GAUGES_MS, () => showGauges(metrics, pool, temporal)),
    gauges('slow', SLOW_GAUGES_MS, () => showSlowGauges(metrics, pool)),
    gauges('unknown', SLOW_GAUGES_MS, countUnknown),
  ]);
  return {
    async stop() {
      stopping.abort();
      // At once, and not when all is drained: its share of the live lane is the others' from now on.
      await checkOut(pool, self.id).catch(() => {});
      await loops;
      await Promise.all([early.drained(), leftBehindSlices.drained()]);
      await sending.attempts.close();
      await checkOut(pool, self.id).catch(() => {});
    },
  };
}

/** The parts that all slices of this worker share. */
function sendingContextOf(
  deps: WorkerDeps,
  sizes: WorkerSizes,
  { spareSockets, mostSockets, outages }: { spareSockets: number; mostSockets: number; outages: OutageRules },
): SendingContext {
  const { pool, log, metrics } = deps;
  const memory = new EndpointMemory();
  return {
    pool,
    attempts: createAttemptClient({
      guard: deps.guard,
      proxy: deps.proxy,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      maxSocketsPerOrigin: sizes.liveSockets + sizes.bulkSlices * sizes.socketsPerSlice + spareSockets,
      maxSockets: mostSockets,
    }),
    handOvers: new HandOvers(pool),
    targets: new TargetCache(pool, deps.sealer),
    presets: deps.presets,
    memory,
    turns: new Turns(),
    liveTraffic: new LiveTraffic(),
    spareSockets: new SpareSockets(spareSockets),
    shortages: new OwnShortages({ log, metrics, memory }),
    log,
    metrics,
    tracing: deps.tracing,
    userAgent: `Redrive/${deps.version}`,
    lease: sizes.lease,
    outages,
  };
}

function every(
  ms: number,
  wake: Wake,
  stop: AbortSignal,
  log: Logger,
  what: string,
  work: () => Promise<void>,
): Promise<void> {
  const failed = (error: unknown) => log.warn({ event: `${what}.failed`, code: errorCode(error) });
  return repeat(work, { stop, everyMs: ms, wake, failed });
}
