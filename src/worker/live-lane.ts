import { repeat } from '../loops/repeat.ts';
import { Wake } from '../loops/wake.ts';
import type { SendingContext } from '../sending/sending-context.ts';
import { Slice } from '../sending/slice.ts';
import { LIVE_LANE } from '../store/db/queryable.ts';
import { errorCode } from '../telemetry/error-code.ts';

/** The dependencies of a worker's live lane. */
export interface LiveLaneOptions {
  sending: SendingContext;
  sockets: number;
  share(): { index: number; of: number };
  stop: AbortSignal;
}

const AGAIN_MS = 500;

/** The slice loop over work of no operation; it needs no Temporal, so first deliveries go on while that is away. */
export class LiveLane {
  readonly #options: LiveLaneOptions;
  readonly #wake: Wake;

  constructor(options: LiveLaneOptions) {
    this.#options = options;
    this.#wake = new Wake(options.stop);
  }

  /** Looks for work now instead of at the next poll. */
  wake(): void {
    this.#options.sending.liveTraffic.note();
    this.#wake.poke();
  }

  /** Runs until stopped; whatever fails, it begins again. */
  run(): Promise<void> {
    const { sending, sockets, share, stop } = this.#options;
    return repeat(
      async () => {
        await new Slice(sending, {
          workedBy: LIVE_LANE,
          lane: 'live',
          sockets,
          stop,
          budgetMs: Number.POSITIVE_INFINITY,
          endWhenIdleForMs: Number.POSITIVE_INFINITY,
          wake: this.#wake,
          share,
        }).run();
        return 'again';
      },
      {
        stop,
        everyMs: AGAIN_MS,
        wake: this.#wake,
        failed: (error) => sending.log.warn({ event: 'live.failed', code: errorCode(error) }),
      },
    );
  }
}
