import type { PartState } from './api/api-deps.ts';
import type { Pool } from './store/db/pool.ts';
import { takesWrites } from './store/db/takes-writes.ts';
import { countWorkers } from './store/sending/workers.ts';
import { temporalAnswers } from './temporal/connection.ts';
import type { TemporalHolder } from './temporal/temporal-holder.ts';

/** Which parts of the installation are ready, and how each of them is; never throws. */
export async function readiness(pool: Pool, { link }: Pick<TemporalHolder, 'link'>): Promise<PartState[]> {
  const [postgres, answers] = await Promise.all([
    lookAtPostgres(pool).catch(() => undefined),
    link !== undefined && temporalAnswers(link),
  ]);
  const polling = postgres?.polling ?? 0;
  return [
    { name: 'postgres', ready: postgres?.writable === true, state: postgresState(postgres) },
    { name: 'temporal', ready: answers, state: answers ? 'connected' : 'does not answer' },
    { name: 'worker', ready: polling > 0, state: polling > 0 ? `${polling} polling` : 'none polls' },
  ];
}

async function lookAtPostgres(pool: Pool): Promise<{ writable: boolean; polling: number }> {
  const writable = await takesWrites(pool);
  const { polling } = await countWorkers(pool);
  return { writable, polling };
}

function postgresState(postgres: { writable: boolean } | undefined): string {
  if (!postgres) return 'does not answer';
  return postgres.writable ? 'connected' : 'takes no writes';
}
