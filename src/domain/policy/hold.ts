import type { Id } from '../tenancy/typed-id.ts';
import type { ApprovalCause, Judgement, Missing } from './judgement.ts';

/** How a hold ended. `void`: it was approved, and too much had changed by then. */
export const HOLD_ENDS = [
  'approved',
  'explained',
  'emergency',
  'rejected',
  'expired',
  'cancelled',
  'void',
] as const;

/** One of {@link HOLD_ENDS}. */
export type HoldEnd = (typeof HOLD_ENDS)[number];

/** What somebody says about an operation that is held. */
export const VERDICTS = ['approve', 'reject', 'emergency'] as const;

/** One of {@link VERDICTS}, with who said it. */
export interface Verdict {
  verdict: (typeof VERDICTS)[number];
  actor: string;
  keyId?: Id<'key'>;
  /** Absent where there was none, or it was erased. */
  comment?: string;
  /** Salted; it stays when the comment is erased. */
  commentDigest?: string;
  at: Date;
}

/** An operation that a policy has held, the last time. */
export interface Hold extends Omit<Judgement, 'because'> {
  operationId: Id<'operation'>;
  number: number;
  planHash: string;
  policyDigest: string;
  /** Words that are still missing. */
  missing: Missing[];
  because: ApprovalCause[];
  verdicts: Verdict[];
  openedAt: Date;
  ended?: { at: Date; for: HoldEnd };
}

/** How long an operation waits for words or approval, before it is cancelled by itself. */
export const HOLD_EXPIRES_MS = 7 * 24 * 3_600_000;

/** How many have approved. */
export function approvals({ verdicts }: Pick<Hold, 'verdicts'>): number {
  return verdicts.filter(({ verdict }) => verdict === 'approve').length;
}

/** Why a hold can end now, by what has been given; undefined while something is lacking. */
export function releasedBy(
  hold: Pick<Hold, 'missing' | 'approvers' | 'verdicts'>,
): 'approved' | 'explained' | undefined {
  if (hold.missing.length > 0 || approvals(hold) < hold.approvers) return undefined;
  return hold.approvers > 0 ? 'approved' : 'explained';
}
