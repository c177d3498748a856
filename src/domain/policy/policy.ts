import type { FreezeWindow } from './freeze-windows.ts';
import type { Quotas } from './quotas.ts';

/** What of a plan can make an approval necessary, whatever its size. */
export const APPROVE_WHEN = ['mayHaveArrived', 'endpointChanged', 'replayOfDelivered'] as const;

/** One of {@link APPROVE_WHEN}. */
export type ApproveWhen = (typeof APPROVE_WHEN)[number];

/** The members of quotas, in the order in which they are told. */
export const QUOTAS = [
  'itemsPerOperation',
  'itemsPerDay',
  'openOperations',
  'ratePerSecond',
] as const satisfies readonly (keyof Quotas)[];

/** One of {@link QUOTAS}. */
export type Quota = (typeof QUOTAS)[number];

/** The rules of a tenant, or of the platform, for what may run by itself. An absent member sets no limit. */
export interface Policy {
  /** An operation of more deliveries needs a reason. */
  reasonAbove?: number;
  /** And a ticket of this form; only together with `reasonAbove`. */
  ticketPattern?: string;
  /** An operation of more deliveries needs approval. */
  approveAbove?: number;
  approveWhen: ApproveWhen[];
  /** How many distinct actors approve. */
  approvers: { count: number };
  quotas: Quotas;
  freezeWindows: FreezeWindow[];
}

/** The rules that hold for a tenant: its own, sharpened by those of the platform. */
export interface PolicyInForce extends Omit<Policy, 'ticketPattern'> {
  /** A ticket has each of these forms. */
  ticketPatterns: string[];
}

/** A policy that says nothing. */
export const NO_POLICY: Policy = {
  approveWhen: [],
  approvers: { count: 1 },
  quotas: {},
  freezeWindows: [],
};

/** Joins the policies that hold at the same time: of each member the sharper one, so that none of them can be softened. */
export function inForce(policies: readonly Policy[]): PolicyInForce {
  const least = (of: (policy: Policy) => number | undefined) => smallest(policies.map(of));
  const reasonAbove = least((policy) => policy.reasonAbove);
  const approveAbove = least((policy) => policy.approveAbove);
  const quotas: Quotas = Object.fromEntries(
    QUOTAS.map((quota) => [quota, least((policy) => policy.quotas[quota])] as const).filter(
      ([, limit]) => limit !== undefined,
    ),
  );
  return {
    ...(reasonAbove === undefined ? {} : { reasonAbove }),
    ...(approveAbove === undefined ? {} : { approveAbove }),
    ticketPatterns: [...new Set(policies.flatMap(({ ticketPattern }) => ticketPattern ?? []))],
    approveWhen: APPROVE_WHEN.filter((when) => policies.some((policy) => policy.approveWhen.includes(when))),
    approvers: { count: Math.max(1, ...policies.map(({ approvers }) => approvers.count)) },
    quotas,
    freezeWindows: policies.flatMap(({ freezeWindows }) => freezeWindows),
  };
}

/**
 * Whether a policy can hold an operation of at most so many deliveries: where only numbers count, and none is reached,
 * nothing has to be looked at. Windows hold nothing: they only put off when it sends.
 */
export function canHoldUpTo(policy: PolicyInForce, items: number): boolean {
  const { reasonAbove, approveAbove, approveWhen, quotas } = policy;
  return (
    items > (reasonAbove ?? Number.POSITIVE_INFINITY) ||
    items > (approveAbove ?? Number.POSITIVE_INFINITY) ||
    approveWhen.length > 0 ||
    Object.keys(quotas).length > 0
  );
}

function smallest(limits: readonly (number | undefined)[]): number | undefined {
  const known = limits.filter((limit) => limit !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
