import { canonicalJson } from '../json/canonical-json.ts';
import { HOLD_EXPIRES_MS } from '../policy/hold.ts';
import type { Id } from '../tenancy/typed-id.ts';
import type { Operation } from './operation.ts';
import type { RiskCounts } from './plan-risks.ts';
import type { ExclusionReason } from './selection.ts';

/**
 * How a plan came to be: asked for as a plan, or as a look at what a retry would do; or made because a policy looks at what
 * was started without one.
 */
export const PLAN_ORIGINS = ['plan', 'dry_run', 'policy'] as const;

/** One of {@link PLAN_ORIGINS}. */
export type PlanOrigin = (typeof PLAN_ORIGINS)[number];

/** The origins of plans that somebody asked for. */
export type AskedPlan = Exclude<PlanOrigin, 'policy'>;

const MINUTE_MS = 60_000;

/** How long a plan waits for its execution. */
export const PLAN_LIFE_MS: Readonly<Record<PlanOrigin, number>> = {
  plan: 24 * 60 * MINUTE_MS,
  dry_run: 15 * MINUTE_MS,
  policy: HOLD_EXPIRES_MS,
};

/** How long a plan keeps payloads past their term. */
export const PIN_DAYS = 7;

/** The change between a plan and its execution. */
export interface PlanDrift {
  /** Deliveries that the plan would have sent and that are left out instead, by reason. */
  gone: Partial<Record<ExclusionReason, number>>;
  /** Endpoints of the plan that have another address now. */
  endpointChanged: { endpointId: Id<'endpoint'>; from: number; to: number; members: string[] }[];
  /** Deliveries that match now and were not planned: counted, never sent. Absent where counting took too long. */
  added?: number;
}

/** A plan as it is kept beside its operation. */
export interface Plan {
  operationId: Id<'operation'>;
  tenantId: Id<'tenant'>;
  origin: PlanOrigin;
  /** Its requester called it an emergency from the start. */
  emergency: boolean;
  /** Absent while it is being made. */
  planned?: { at: Date; planHash: string; itemsDigest: string; risksDigest: string };
  /** Deliveries that were found, so far. */
  items: number;
  /** Those of them that would have been sent. */
  sends: number;
  pages: number;
  risks: RiskCounts;
  endpointCount: number;
  /** In UTC, with the microseconds that a Date would lose. */
  watermark: string;
  executed?: { at: Date; by: string; maxDriftPercent?: number };
  drift?: PlanDrift;
  /** The drift that was too large, the last time that it was executed. */
  refusedDrift?: PlanDrift;
  /** It was not executed in time. */
  expired: boolean;
  /** When it is cancelled by itself. */
  expiresAt?: Date;
}

/** Everything that makes a plan this plan and no other; ids are uuids. */
export interface PlanIdentity {
  v: 1;
  tenant: Id<'tenant'>;
  kind: Operation['kind'];
  mode: Operation['kind'];
  target: Operation['target'];
  newIdentity: boolean;
  selection: Operation['selection'];
  options: Operation['options'];
  watermark: string;
  items: number;
  /** SHA-256, in hexadecimal digits, of all ids as 16 bytes each, ascending. */
  itemsDigest: string;
  /** The same of the risks of each, as two bytes, in the same order. */
  risksDigest: string;
  /** The version that each endpoint had. */
  endpointVersions: Record<Id<'endpoint'>, number>;
}

/** The identity of a plan of an operation. */
export function planIdentity(
  operation: Pick<Operation, 'tenantId' | 'kind' | 'target' | 'newIdentity' | 'selection' | 'options'>,
  found: Pick<PlanIdentity, 'watermark' | 'items' | 'itemsDigest' | 'risksDigest' | 'endpointVersions'>,
): PlanIdentity {
  const { tenantId, kind, target, newIdentity, selection, options } = operation;
  return {
    v: 1,
    tenant: tenantId,
    kind,
    mode: kind,
    target,
    newIdentity,
    selection,
    options,
    ...found,
  };
}

/** The text whose SHA-256 is the hash of a plan (RFC 8785). */
export function hashedText(identity: PlanIdentity): string {
  return canonicalJson(identity);
}

/** How many deliveries of a plan are gone. */
export function goneItems({ gone }: Pick<PlanDrift, 'gone'>): number {
  return Object.values(gone).reduce((sum: number, n) => sum + (n ?? 0), 0);
}

/**
 * Whether more of a plan has changed than its owner allows: the share of its deliveries that are gone. Those that were
 * added are not sent and count for nothing.
 */
export function driftsTooFar(drift: PlanDrift, items: number, maxPercent: number | undefined): boolean {
  return maxPercent !== undefined && goneItems(drift) * 100 > maxPercent * items;
}
