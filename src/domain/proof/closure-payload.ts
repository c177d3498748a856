import type { SignedCheckpoint } from '../audit/signed-checkpoint.ts';
import type { ClosureReport, Operation } from '../operations/operation.ts';
import type { OperationKind } from '../operations/operation-state.ts';
import type { Plan } from '../operations/plan.ts';
import type { Halt } from '../operations/watch.ts';
import type { Hold } from '../policy/hold.ts';
import { alias, type Id, showId } from '../tenancy/typed-id.ts';
import type { LedgerDetails } from './ledger-details.ts';
import type { LedgerSeal } from './verification.ts';

/** One act on an operation, as its report tells it. */
export interface TimelineEntry {
  at: Date;
  did: string;
  /** As its credential names it; `redrive` where nobody asked. */
  by: string;
  ratePerSecond?: number | null;
  halt?: Halt;
}

/** Everything that a signed report says. */
export interface ClosureFacts {
  installation: string;
  operation: Pick<
    Operation,
    | 'id'
    | 'tenantId'
    | 'kind'
    | 'surface'
    | 'target'
    | 'newIdentity'
    | 'options'
    | 'ratePerSecond'
    | 'requestedBy'
    | 'reason'
    | 'ticket'
    | 'createdAt'
  >;
  endedAs: string;
  report: ClosureReport;
  details: LedgerDetails;
  acts: readonly TimelineEntry[];
  closedAt: Date;
  ledger: LedgerSeal;
  version: string;
  /** The plan that it was executed from. */
  plan?: Plan;
  /** What a policy asked of it, and who said what to that. */
  hold?: Hold;
  /**
   * The end of the tenant's audit chain, of which a copy leaves the database with each report, signed by itself as well;
   * `complete` where every act on the operation is in it.
   */
  audit?: Pick<SignedCheckpoint, 'number' | 'hash' | 'at' | 'jws'> & { complete: boolean };
}

/** The name of the form of this payload, in the header of its signature. */
export const CLOSURE_TYPE = 'redrive-closure+json';

/** The payload of a signed closure report. */
export function closurePayload(facts: ClosureFacts) {
  const { operation, report, details, closedAt } = facts;
  return {
    v: 1,
    installation: facts.installation,
    tenant: showId('tenant', operation.tenantId),
    operation: showId('operation', operation.id),
    // Two words for one thing: `mode` is that of the request, `kind` that of the answers.
    kind: operation.kind satisfies OperationKind,
    mode: operation.kind,
    surface: operation.surface,
    target: operation.target,
    newIdentity: operation.newIdentity,
    state: facts.endedAs,
    ...(facts.plan?.planned ? { plan: planOf(facts.plan, facts.plan.planned) } : {}),
    requestedBy: operation.requestedBy,
    ...policyOf(facts.hold),
    reason: operation.reason ?? null,
    ticket: operation.ticket ?? null,
    timeline: timelineOf(facts),
    counts: report.counts,
    mayHaveArrived: report.mayHaveArrived,
    exclusions: report.exclusions,
    remainder: report.remainder ?? null,
    attempts: {
      total: report.attempts,
      firstAt: report.firstAttemptAt ?? null,
      lastAt: report.lastAttemptAt ?? null,
    },
    endpointCount: details.endpointCount,
    endpoints: details.endpoints.map(({ endpointId, ...result }) => ({
      endpointId: showEndpoint(endpointId),
      ...result,
    })),
    faults: details.faults,
    causes: report.breakdown?.causes ?? [],
    rate: rateOf(facts),
    canaries: details.canaries.map(({ endpointId, verdict, items }) => ({
      endpointId: showEndpoint(endpointId),
      verdict,
      items,
    })),
    ledger: facts.ledger,
    ...(facts.audit ? { audit: facts.audit } : {}),
    closedAt: closedAt.toISOString(),
    version: facts.version,
  };
}

function planOf({ operationId, items, drift }: Plan, planned: NonNullable<Plan['planned']>) {
  return {
    id: showId('plan', alias('plan', operationId)),
    planHash: planned.planHash,
    itemsDigest: planned.itemsDigest,
    items,
    drift: drift
      ? {
          ...drift,
          endpointChanged: drift.endpointChanged.map(({ endpointId, ...change }) => ({
            endpointId: showEndpoint(endpointId),
            ...change,
          })),
        }
      : null,
  };
}

/**
 * What the policy asked for and what was said, by whom and when; the words by their digest, for a signed report cannot be
 * made to forget them.
 */
function policyOf(hold: Hold | undefined) {
  const said = (hold?.verdicts ?? []).map(({ verdict, actor, at, commentDigest }) => ({
    verdict,
    entry: { by: actor, at: at.toISOString(), commentDigest: commentDigest ?? null },
  }));
  const all = (of: string) => said.filter(({ verdict }) => verdict === of).map(({ entry }) => entry);
  return {
    approvals: hold?.ended?.for === 'void' ? [] : all('approve'),
    policy: hold
      ? {
          digest: hold.policyDigest,
          planHash: hold.planHash,
          because: hold.because,
          approvers: hold.approvers,
          endedFor: hold.ended?.for ?? null,
        }
      : null,
    rejection: all('reject')[0] ?? null,
    emergency: all('emergency')[0] ?? null,
  };
}

function timelineOf({ operation, acts, closedAt }: ClosureFacts) {
  return [
    { at: operation.createdAt, did: 'accept', by: operation.requestedBy },
    ...acts.map(({ halt, ...act }) => ({ ...act, ...(halt ? { halt: shownHalt(halt) } : {}) })),
    { at: closedAt, did: 'close', by: 'redrive' },
  ].map(({ at, ...act }) => ({ at: at.toISOString(), ...act }));
}

/** Asked for, in force at the end, and what the attempts came to, from the first to the last. */
function rateOf({ operation, report }: ClosureFacts) {
  const spanMs =
    report.firstAttemptAt !== undefined && report.lastAttemptAt !== undefined
      ? Date.parse(report.lastAttemptAt) - Date.parse(report.firstAttemptAt)
      : 0;
  return {
    askedPerSecond: operation.options.ratePerSecond ?? null,
    limitPerSecond: operation.ratePerSecond ?? null,
    meanPerSecond: spanMs > 0 ? Math.round((report.attempts * 100_000) / spanMs) / 100 : null,
  };
}

function shownHalt(halt: Halt) {
  return 'endpoints' in halt
    ? {
        ...halt,
        endpoints: halt.endpoints.map(({ endpointId, ...tally }) => ({
          endpointId: showEndpoint(endpointId),
          ...tally,
        })),
      }
    : halt;
}

function showEndpoint(id: Id<'endpoint'>): string {
  return showId('endpoint', id);
}
