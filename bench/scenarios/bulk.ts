import { type BulkCase, runBulk } from '../run-bulk.ts';
import type { Bench, Case } from '../scenario.ts';

const VARIANT = 20_000;

/**
 * `POST /api/v1/retries` until the operation is closed, everything on: the base case, and variants of it in one thing.
 */
export function bulkCases({ size }: Bench): Case[] {
  const one = (name: string, bulk: BulkCase): Case => ({ name, measure: (bench) => runBulk(bench, bulk) });
  const items = size(VARIANT);
  return [
    one('bulk', { items: size(100_000) }),
    one('bulk, 20,000 items', { items }),
    one('bulk, 2 workers', { items, workers: 2 }),
    one('bulk, 1 endpoint', { items, endpoints: 1 }),
    one('bulk, 1,000 endpoints', { items, endpoints: 1_000 }),
    one('bulk, 64 KiB', { items: size(5_000), bytes: 65_536 }),
    one('bulk, answers after 30 ms', { items, behaviour: 'slow30' }),
    one('bulk, answers after 300 ms', { items, behaviour: 'slow300' }),
    one('bulk, every fifth fails', { items, behaviour: 'fail20' }),
  ];
}
