import type { components } from '../native-api.ts';
import { equationFault } from './equation.ts';
import { isObject } from './json.ts';
import type { LedgerSeal } from './ledger.ts';

/** What a signed report says: the payload of its signature. */
export interface Closure {
  v: 1;
  operation: string;
  kind: 'retry' | 'replay';
  state: string;
  installation: string;
  tenant: string;
  surface: string;
  target: string;
  plan?: { id: string; planHash: string; itemsDigest: string; items: number };
  requestedBy: string;
  approvals: { by?: string; actor?: string; at: string; verdict?: string }[];
  reason: string | null;
  ticket: string | null;
  timeline: {
    at: string;
    did: string;
    by: string;
    ratePerSecond?: number | null;
    halt?: { reason: string };
  }[];
  counts: components['schemas']['OperationCounts'];
  mayHaveArrived: number;
  exclusions: Record<string, number>;
  attempts: { total: number; firstAt: string | null; lastAt: string | null };
  endpointCount: number;
  endpoints: {
    endpointId: string;
    handle: string;
    versions: number[];
    counts: Record<string, number>;
    attempts: number;
    faults: Record<string, number>;
  }[];
  faults: Record<string, number>;
  rate: { askedPerSecond: number | null; limitPerSecond: number | null; meanPerSecond: number | null };
  canaries: { endpointId: string; verdict: string; items: number }[];
  ledger: LedgerSeal;
  audit?: { number: number; hash: string; at: string; complete: boolean };
  closedAt: string;
  version: string;
}

/** The form that the header of a signed report names. */
export const CLOSURE_TYPE = 'redrive-closure+json';

/** The one version of its payload that is known. */
const VERSION = 1;

/** Whether a payload is that of a report, and of this operation where one is named. */
export function isClosureOf(payload: unknown, operationId?: string): payload is Closure {
  return (
    isObject(payload) &&
    typeof payload.operation === 'string' &&
    payload.operation === (operationId ?? payload.operation) &&
    isObject(payload.counts) &&
    isObject(payload.ledger) &&
    typeof payload.ledger.lines === 'number' &&
    typeof payload.ledger.merkleRoot === 'string'
  );
}

/** Why a report that is well signed does not hold by itself, in one sentence; undefined where it does. */
export function closureFault({ v, counts }: Closure): { fault: 'form' | 'counts'; why: string } | undefined {
  if (v !== VERSION)
    return {
      fault: 'form',
      why: `The report has the form ${JSON.stringify(v) ?? 'unnamed'}, which is not known here: verify it with a newer version.`,
    };
  const why = equationFault(counts);
  return why === undefined ? undefined : { fault: 'counts', why };
}
