import { type Problem, problem } from '../problems/problem.ts';
import type { Route } from '../route.ts';
import { createTurns, inTurnWithin, turnsOf } from './turns.ts';

/** How many reads go on at a time in one process, and how long one waits for its turn. */
export interface ReadLimits {
  /** Of all tenants: fewer than the API has connections, so that writes always find one. */
  all: number;
  ofTenant: number;
  waitMs: number;
}

const LIMITS: ReadLimits = { all: 12, ofTenant: 5, waitMs: 10_000 };

/** Reads in its turn, or says that there was none in time. */
export type ReadTurns = <Result>(tenantId: string, read: () => Promise<Result>) => Promise<Result | Problem>;

/** Whether a call of this route is a read that takes its turn. */
export function takesTurn({ method, takesTurn: stated }: Pick<Route, 'method' | 'takesTurn'>): boolean {
  return stated ?? method === 'get';
}

/**
 * The turns of reads. What one costs is up to its filter, and Postgres ends it only after a while: without turns the
 * slow reads of one tenant would hold every connection.
 */
export function createReadTurns(limits: Partial<ReadLimits> = {}): ReadTurns {
  const { all, ofTenant, waitMs } = { ...LIMITS, ...limits };
  const inTurnOf = turnsOf(createTurns(all), ofTenant);
  return async (tenantId, read) =>
    (await inTurnWithin(inTurnOf(tenantId), waitMs, read)) ??
    problem('rate_limited', {
      headers: { 'retry-after': '1' },
      detail:
        'So many reads of this tenant are at work, or of all tenants, that its turn did not come in time.',
    });
}
