import type { ReportSigner } from '../proof/report-signer.ts';
import type { EarlySlices } from '../sending/early-slices.ts';
import type { RunningSlices } from '../sending/running-slices.ts';
import type { SendingContext } from '../sending/sending-context.ts';

/** The context that the loops of operations share in one worker. */
export interface OperationContext {
  sending: SendingContext;
  signer: ReportSigner;
  early: EarlySlices;
  running: RunningSlices;
  /** Requests in flight of one bulk slice. */
  socketsPerSlice: number;
  /** A slice returns after this time; the workflow begins another. */
  sliceBudgetMs: number;
}
