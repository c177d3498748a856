import { Context } from '@temporalio/activity';
import { DESCRIBED_ENDPOINTS, describeProgress } from '../domain/operations/describe-progress.ts';
import { nextStep } from '../domain/operations/next-step.ts';
import { closingState } from '../domain/operations/operation-counts.ts';
import { showId } from '../domain/tenancy/typed-id.ts';
import { Wake } from '../loops/wake.ts';
import { cancelAsInTemporal, cancelWhenExpired } from '../operations/cancel-unasked.ts';
import { selectAgain } from '../operations/freeze-explicit.ts';
import { freezeNext } from '../operations/freeze-selection.ts';
import { logClosed } from '../operations/operation-log.ts';
import { settleExpiredClaims } from '../operations/settle-expired.ts';
import { watchOperation } from '../operations/watch-operation.ts';
import type { EarlySlice, EarlySlices } from '../sending/early-slices.ts';
import type { SendingContext } from '../sending/sending-context.ts';
import { Slice, type SliceControl } from '../sending/slice.ts';
import { withTransaction } from '../store/db/pool.ts';
import { cancelUnsent } from '../store/operations/cancelling.ts';
import { operationFacts, readControl, writeNextEvent } from '../store/operations/operation-facts.ts';
import { closeOperation, renewStatistics, showRunning } from '../store/operations/operation-progress.ts';
import { loadOperation } from '../store/operations/operations.ts';
import { unsentEndpoints } from '../store/operations/unsent-endpoints.ts';
import { crashPoint } from '../telemetry/crash-points.ts';
import type { OperationActivities, Progress } from './operation-activities.ts';

/** What the activities of one worker share. */
export interface ActivityDeps {
  sending: SendingContext;
  early: EarlySlices;
  /** Requests in flight of one bulk slice. */
  socketsPerSlice: number;
  /** A slice returns after so long; the workflow begins another. */
  sliceBudgetMs: number;
  /** Aborted when this worker stops: slices take nothing more and drain. */
  stopping: AbortSignal;
}

const HEARTBEAT_MS = 10_000;
const PAGES_TOGETHER = 2;
const PAGE_BESIDE_LIVE = 500;
const CANCEL_BATCH = 2_000;
const REOPEN_BATCH = 2_000;
const END_WHEN_IDLE_FOR_MS = 5_000;
const JUDGE_EVERY_MS = 250;
const INTERACTIVE_POLL_MS = 25;
const INTERACTIVE_POLL_MAX_MS = 500;
const INTERACTIVE_WATCH_MS = 2_000;

/** Makes the activities of one worker. Every one of them can be run again from the start. */
export function createActivities(deps: ActivityDeps): OperationActivities {
  const { pool } = deps.sending;
  let freezingTogether = false;

  async function look(operationId: string): Promise<Progress> {
    await settleExpiredClaims(pool);
    await showRunning(pool, operationId);
    // Before the facts: a command committed in between must not pass for one that this look has seen.
    const operation = await loadOperation(pool, operationId);
    if (operation?.control === 'pause' && (await cancelWhenExpired(deps.sending, operationId)))
      return look(operationId);
    const facts = operation && (await operationFacts(pool, operationId));
    if (!facts) return { step: { do: 'end' }, state: 'cancelled', details: 'No such operation.' };
    const step = nextStep(facts);
    if (step.do !== 'end')
      await writeNextEvent(
        pool,
        operationId,
        step.do === 'wait' ? step.until : step.do,
        step.do === 'wait' ? step.ms : 30_000,
        operation.controlRevision,
      );
    const shown = { ...operation, state: facts.state, counts: facts.counts };
    const endpointIds =
      step.do === 'end' ? [] : await unsentEndpoints(pool, operation, DESCRIBED_ENDPOINTS + 1);
    return {
      step,
      state: facts.state,
      details: describeProgress(shown, step, endpointIds),
      ...(facts.state === 'halted' && operation.halt ? { halt: operation.halt.reason } : {}),
    };
  }

  /**
   * Freezes what comes next: two pages at a time for one selection of this worker, one for others; beside live traffic a
   * small one, and then nothing for some time.
   */
  async function freeze(operationId: string, stop: AbortSignal): Promise<boolean> {
    const { liveTraffic } = deps.sending;
    if (liveTraffic.flows) {
      const beganMs = performance.now();
      const more = await freezeNext(pool, operationId, { page: PAGE_BESIDE_LIVE });
      if (more) await liveTraffic.rest(beganMs, stop);
      return more;
    }
    if (freezingTogether) return freezeNext(pool, operationId);
    freezingTogether = true;
    try {
      return await freezeNext(pool, operationId, { pages: PAGES_TOGETHER });
    } finally {
      freezingTogether = false;
    }
  }

  /** Sends what is selected while more is; one that is watched begins with its canaries, when all is selected. */
  async function sendEarly(operationId: string, wake: Wake): Promise<EarlySlice | undefined> {
    const { watched } = await readControl(pool, operationId);
    if (watched) return undefined;
    return deps.early.begin((stop) =>
      new Slice(deps.sending, {
        workedBy: operationId,
        lane: 'bulk',
        sockets: deps.socketsPerSlice,
        stop,
        budgetMs: Number.POSITIVE_INFINITY,
        endWhenIdleForMs: Number.POSITIVE_INFINITY,
        wake,
        control: () => readControl(pool, operationId),
      })
        .run()
        .catch((error: Error & { code?: string }) =>
          // Whatever it would have sent, the slices of the operation send.
          deps.sending.log.warn({ event: 'early_slice.failed', code: error.code ?? error.name }),
        ),
    );
  }

  async function watchInteractive(operationId: string, stop: AbortSignal): Promise<void> {
    // The live lane sends these; a run only has to see them through, and does so without history for a while.
    const wake = new Wake(stop);
    const untilMs = performance.now() + INTERACTIVE_WATCH_MS;
    for (let pollMs = INTERACTIVE_POLL_MS; !stop.aborted && performance.now() < untilMs; pollMs *= 1.5) {
      const facts = await operationFacts(pool, operationId);
      if (!facts || nextStep(facts).do !== 'dispatch') return;
      await wake.wait(Math.min(pollMs, INTERACTIVE_POLL_MAX_MS));
    }
  }

  return {
    assess: look,

    async select(operationId) {
      await beating(deps.stopping, async (stop) => {
        let early: EarlySlice | undefined;
        const wake = new Wake(stop);
        try {
          for (let more = true; more && !stop.aborted; ) {
            more = await freeze(operationId, stop);
            crashPoint('selected_page');
            if (more) early ??= await sendEarly(operationId, wake);
            wake.poke();
          }
        } finally {
          early?.end();
          wake.poke();
        }
        await renewStatistics(pool);
      });
      return look(operationId);
    },

    async dispatchSlice(operationId) {
      const operation = await loadOperation(pool, operationId);
      if (operation?.interactive) await beating(deps.stopping, (stop) => watchInteractive(operationId, stop));
      else if (operation)
        await beating(
          deps.stopping,
          async (stop) => {
            const slice = new Slice(deps.sending, {
              workedBy: operationId,
              lane: 'bulk',
              sockets: deps.socketsPerSlice,
              stop,
              budgetMs: deps.sliceBudgetMs,
              endWhenIdleForMs: END_WHEN_IDLE_FOR_MS,
              wake: new Wake(stop),
              control: watchedControl(deps.sending, operationId),
            });
            const { claimed } = await slice.run();
            deps.sending.log.info({
              event: 'slice.ended',
              operationId: showId('operation', operationId),
              claimed,
            });
          },
          () => writeNextEvent(pool, operationId, 'dispatch', 30_000),
        );
      return look(operationId);
    },

    async close(operationId) {
      await beating(deps.stopping, async (stop) => {
        const operation = await loadOperation(pool, operationId);
        if (operation?.control === 'cancel') {
          while (
            !stop.aborted &&
            (await withTransaction(pool, (db) => cancelUnsent(db, operationId, CANCEL_BATCH))) > 0
          );
        } else if (operation) {
          const reopened = await withTransaction(pool, (db) => selectAgain(db, operation, REOPEN_BATCH));
          if (reopened > 0) return;
        }
        const facts = await operationFacts(pool, operationId);
        if (!facts || nextStep(facts).do !== 'close') return;
        const result = await withTransaction(pool, async (db) => {
          const written = await closeOperation(db, operationId, closingState);
          crashPoint('closing');
          return written;
        });
        crashPoint('closed');
        if (!result.closed && result.why === 'counts_disagree') throw new CountsDisagree();
        const ended = result.closed ? await loadOperation(pool, operationId) : undefined;
        if (ended) logClosed(deps.sending.log, ended);
      });
      return look(operationId);
    },

    async cancelOperation(operationId) {
      await cancelAsInTemporal(deps.sending, operationId);
    },
  };
}

/** Reads an operation's control at each claim; one that is watched is judged before, four times a second at most. */
function watchedControl(sending: SendingContext, operationId: string): () => Promise<SliceControl> {
  const { pool } = sending;
  let judgedAtMs = Number.NEGATIVE_INFINITY;
  return async () => {
    const control = await readControl(pool, operationId);
    if (!control.watched || performance.now() - judgedAtMs < JUDGE_EVERY_MS) return control;
    judgedAtMs = performance.now();
    await watchOperation(sending, operationId);
    return readControl(pool, operationId);
  };
}

/** The ledger and the counts of an operation differ: it is not closed, and its workflow says so until somebody looks. */
class CountsDisagree extends Error {
  readonly code = 'counts_disagree';
}

/** Runs a step with heartbeats; its stop signal is this worker's stopping or the activity's cancellation. */
async function beating(
  stopping: AbortSignal,
  work: (stop: AbortSignal) => Promise<void>,
  eachBeat?: () => Promise<void>,
): Promise<void> {
  const context = Context.current();
  // Not AbortSignal.any, and taken off again: a worker's own signal lives as long as its process, and would keep
  // something of every step that it ever ran.
  const end = new AbortController();
  const sources = [stopping, context.cancellationSignal];
  const abort = () => end.abort();
  for (const source of sources) source.addEventListener('abort', abort);
  if (sources.some((source) => source.aborted)) abort();
  const beat = setInterval(() => {
    context.heartbeat();
    void eachBeat?.().catch(() => {});
  }, HEARTBEAT_MS);
  try {
    await work(end.signal);
  } finally {
    clearInterval(beat);
    for (const source of sources) source.removeEventListener('abort', abort);
  }
}
