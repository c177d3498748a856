/**
 * What may be different from what one expects of a delivery of a plan; none of them is an error. The place in this list
 * is the bit that is kept for each delivery, and part of the hash of every plan: it never changes.
 */
export const PLAN_RISKS = [
  /** It failed, but an attempt of it may have arrived. */
  'mayHaveArrived',
  /** Nobody knows its outcome yet. */
  'unknown',
  /** An execution of it is open elsewhere and will be sent: it joins that, or takes it over where the options say so. */
  'openElsewhere',
  /** An operation that was stopped holds it. */
  'heldByPaused',
  'alreadyDelivered',
  'endpointDisabled',
  'endpointDeleted',
  /** Its endpoint is left alone for a while, because it was down. */
  'circuitOpen',
  'payloadExpired',
  /** Its payload is there, and will be gone before it is sent. */
  'payloadExpiresBeforeItsTurn',
  /** It was first sent to another address than it goes to now. */
  'addressChanged',
  /** Its endpoint has got a new signing secret since it was last sent. */
  'secretRotated',
  /** Its endpoint chose events in another way when it was first sent. */
  'filterChanged',
  /** A delivery of its key before it is in the way. */
  'orderBlocked',
] as const;

/** One of {@link PLAN_RISKS}. */
export type PlanRisk = (typeof PLAN_RISKS)[number];

/** Numbers of deliveries by risk. */
export type RiskCounts = Record<PlanRisk, number>;

/** The bit of a risk. */
export function riskBit(risk: PlanRisk): number {
  return 1 << PLAN_RISKS.indexOf(risk);
}

/** The last bit: it would not have been sent, had the plan been executed at once. */
export const LEFT_OUT = 1 << 14;

/** The risks in the bits of a delivery. */
export function risksIn(bits: number): PlanRisk[] {
  return PLAN_RISKS.filter((risk) => (bits & riskBit(risk)) !== 0);
}

/** Counts by risk, from numbers in the order of {@link PLAN_RISKS}. */
export function riskCounts(numbers: readonly number[]): RiskCounts {
  return Object.fromEntries(PLAN_RISKS.map((risk, n) => [risk, numbers[n] ?? 0])) as RiskCounts;
}
