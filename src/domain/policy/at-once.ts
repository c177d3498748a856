import { type ApprovalCause, goesOn, type Judgement, type Missing } from './judgement.ts';
import type { QuotaExceeded } from './quotas.ts';

/** The findings about deliveries that somebody wants sent by a call that makes no operation: nothing could wait. */
export interface AtOnceFindings {
  /** Absent where no policy is in force. */
  judgement?: Judgement | undefined;
  /** The ceilings of the installation that they exceed. */
  beyond: readonly QuotaExceeded[];
  /** A freeze window holds one of them. */
  frozen: boolean;
}

/** Why deliveries are not sent at once. */
export type AtOnceRefusal =
  | { code: 'above_ceiling'; beyond: readonly QuotaExceeded[] }
  | { code: 'held'; missing: readonly Missing[]; because: readonly ApprovalCause[] }
  | { code: 'frozen' };

/** Decides whether deliveries are sent at once; what an operation would have to wait for refuses all of them. */
export function refusedAtOnce({ judgement, beyond, frozen }: AtOnceFindings): AtOnceRefusal | undefined {
  if (beyond.length > 0) return { code: 'above_ceiling', beyond };
  if (judgement && !goesOn(judgement))
    return { code: 'held', missing: judgement.missing, because: judgement.because };
  return frozen ? { code: 'frozen' } : undefined;
}
