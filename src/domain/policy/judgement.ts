import type { OperationKind } from '../operations/operation-state.ts';
import type { RiskCounts } from '../operations/plan-risks.ts';
import type { ApproveWhen, PolicyInForce, Quota } from './policy.ts';
import { matchesTicket } from './ticket-pattern.ts';
import { saysSomething } from './words.ts';

/** The facts of a planned operation that a policy judges. */
export interface JudgedFacts {
  kind: OperationKind;
  target: 'original' | 'current';
  /** Deliveries of its plan, also those that would be left out: what is left out now may be sent later. */
  items: number;
  risks: Pick<RiskCounts, 'mayHaveArrived' | 'addressChanged' | 'alreadyDelivered'>;
  reason?: string | undefined;
  ticket?: string | undefined;
  /** The quotas that it exceeds. */
  overQuota: readonly Quota[];
}

/** Words that have to be given before an operation goes on. */
export const MISSING = ['reason', 'ticket'] as const;

/** One of {@link MISSING}. */
export type Missing = (typeof MISSING)[number];

/** Why an operation has to be approved: its number of items, one of its risks, or a quota. */
export type ApprovalCause = 'items' | ApproveWhen | Quota;

/** What a policy asks of an operation before it goes on; nothing where both lists are empty. */
export interface Judgement {
  missing: Missing[];
  because: ApprovalCause[];
  /** How many distinct actors approve; 0 where no approval is asked for. */
  approvers: number;
}

/** Judges a planned operation by the policy in force. */
export function judge(policy: PolicyInForce, facts: JudgedFacts): Judgement {
  const because: ApprovalCause[] = [
    ...(isAbove(facts.items, policy.approveAbove) ? (['items'] as const) : []),
    ...policy.approveWhen.filter((when) => RISKS[when](facts)),
    ...facts.overQuota,
  ];
  return {
    missing: missingWords(policy, facts),
    because,
    approvers: because.length > 0 ? policy.approvers.count : 0,
  };
}

/** Whether it goes on by itself. */
export function goesOn({ missing, because }: Pick<Judgement, 'missing' | 'because'>): boolean {
  return missing.length === 0 && because.length === 0;
}

/** The words that an operation of so many items lacks. A ticket of another form than the policy's is none. */
export function missingWords(
  { reasonAbove, ticketPatterns }: Pick<PolicyInForce, 'reasonAbove' | 'ticketPatterns'>,
  { items, reason, ticket }: Pick<JudgedFacts, 'items' | 'reason' | 'ticket'>,
): Missing[] {
  if (!isAbove(items, reasonAbove)) return [];
  const hasTicket = ticketPatterns.every((pattern) => ticket && matchesTicket(pattern, ticket));
  return [
    ...(saysSomething(reason) ? [] : (['reason'] as const)),
    ...(hasTicket ? [] : (['ticket'] as const)),
  ];
}

const RISKS: Readonly<Record<ApproveWhen, (facts: JudgedFacts) => boolean>> = {
  mayHaveArrived: ({ risks }) => risks.mayHaveArrived > 0,
  // To where they went first is no change, whatever the endpoint is now.
  endpointChanged: ({ target, risks }) => target === 'current' && risks.addressChanged > 0,
  replayOfDelivered: ({ kind, risks }) => kind === 'replay' && risks.alreadyDelivered > 0,
};

function isAbove(items: number, limit: number | undefined): boolean {
  return limit !== undefined && items > limit;
}
