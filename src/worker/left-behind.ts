import { type Id, showId } from '../domain/tenancy/typed-id.ts';
import { Wake } from '../loops/wake.ts';
import { haltsWhenRefused } from '../operations/send-operation.ts';
import type { EarlySlices } from '../sending/early-slices.ts';
import type { RunningSlices } from '../sending/running-slices.ts';
import type { SendingContext } from '../sending/sending-context.ts';
import { Slice, type SliceControl } from '../sending/slice.ts';
import { isWorkedElsewhere, takeLeftBehind } from '../store/sending/workers.ts';
import { crashPoint } from '../telemetry/crash-points.ts';

/** The means to go on with operations that other workers have left behind. */
export interface LeftBehindOptions {
  sending: SendingContext;
  early: EarlySlices;
  running: RunningSlices;
  workerId: string;
  /** Requests in flight of one slice. */
  sockets: number;
  /** The control that an operation's slices ask for before each claim. */
  control(operationId: Id<'operation'>): () => Promise<SliceControl>;
}

/** Longer than Temporal takes to notice that a step's heartbeats are missing and to begin it elsewhere. */
const UNTIL_TEMPORAL_MS = 40_000;
const LOOK_ELSEWHERE_MS = 1_000;

/**
 * Goes on with operations whose worker has died, until Temporal begins their step again: that takes it half a minute.
 * It needs no more than a slice has anyway, for who sends is decided by the claim; a slice too many is harmless.
 */
export class LeftBehind {
  readonly #options: LeftBehindOptions;

  constructor(options: LeftBehindOptions) {
    this.#options = options;
  }

  /** Takes over such operations, as far as there is room for them. */
  async look(): Promise<void> {
    const { sending, early, workerId } = this.#options;
    if (early.room === 0) return;
    for (const operationId of await takeLeftBehind(sending.pool, workerId, early.room)) {
      sending.log.warn({
        event: 'operation.left_behind',
        operationId: showId('operation', operationId),
      });
      crashPoint('taken_over');
      early.begin((stop) => this.#goOn(operationId, stop));
    }
  }

  async #goOn(operationId: Id<'operation'>, stop: AbortSignal): Promise<void> {
    const { sending, running, sockets } = this.#options;
    try {
      await running.run(operationId, async () => {
        // Temporal may be away, too: as long as there is something to do and nobody else does it, it is done here.
        for (let claimed = 1; claimed > 0 && !stop.aborted; )
          ({ claimed } = await new Slice(sending, {
            workedBy: operationId,
            lane: 'bulk',
            sockets,
            stop,
            budgetMs: UNTIL_TEMPORAL_MS,
            endWhenIdleForMs: Number.POSITIVE_INFINITY,
            wake: new Wake(stop),
            control: this.#control(operationId),
            refused: haltsWhenRefused(sending, operationId),
          }).run());
      });
    } catch (error) {
      const code = (error as { code?: string }).code ?? (error as Error).name;
      sending.log.warn({ event: 'left_behind.failed', code });
    }
  }

  /** The control of the operation's own slices; it also stops where somebody else works on the operation again. */
  #control(operationId: Id<'operation'>): () => Promise<SliceControl> {
    const { sending, running, workerId, control } = this.#options;
    const own = control(operationId);
    let lookAtMs = 0;
    let elsewhere = false;
    return async () => {
      if (performance.now() >= lookAtMs) {
        lookAtMs = performance.now() + LOOK_ELSEWHERE_MS;
        elsewhere =
          running.of(operationId) > 1 || (await isWorkedElsewhere(sending.pool, workerId, operationId));
      }
      const found = await own();
      return elsewhere ? { ...found, run: false } : found;
    };
  }
}
