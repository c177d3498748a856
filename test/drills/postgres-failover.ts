import { rm } from 'node:fs/promises';
import type { EmbeddedPostgres } from '../../src/embedded/postgres/postgres.ts';
import { newDataDir, startPostgres } from '../chaos/chaos-parts.ts';
import { eventually } from '../support/eventually.ts';
import { Drill, type DrillPlan, type DrillResult } from './drill.ts';
import { beginAs, copyRunning } from './physical-copy.ts';
import { rowsOf } from './statement.ts';

const REPLICA = 'replica';

/**
 * Kills the primary in the middle of the load and promotes its synchronous replica: what was committed is there, what was
 * not is done again, and the service finds the new primary by the address that it has.
 */
export async function postgresFailover(plan: DrillPlan): Promise<DrillResult> {
  const dataDir = await newDataDir();
  const replicas: EmbeddedPostgres[] = [];
  try {
    const drill = await Drill.start(plan, {
      prepared: async ({ postgres }) => void replicas.push(await follow(postgres, dataDir)),
    });
    try {
      return await failOver(drill, replicas, dataDir);
    } finally {
      await drill.stop();
    }
  } finally {
    // One that was not promoted is nobody's.
    for (const replica of replicas) await replica.stop({ hurry: true });
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function failOver(drill: Drill, replicas: EmbeddedPostgres[], dataDir: string): Promise<DrillResult> {
  const { postgres } = drill.parts;
  await drill.reaches(0.4);
  const killedAt = performance.now();
  await postgres.kill();
  const sentBefore = drill.sent();
  drill.say('the primary is killed');
  const [replica] = replicas;
  if (!replica) throw new Error('there is no replica');
  await rowsOf(replica.url, 'select pg_promote()');
  replicas.pop();
  postgres.replaceBy(replica, dataDir);
  drill.figures.promotedAfterMs = Math.round(performance.now() - killedAt);
  drill.say('the replica is promoted');
  const aSecondOfWork = sentBefore + drill.plan.ratePerSecond;
  await eventually('sending goes on', () => drill.sent() > aSecondOfWork, { withinMs: 60_000 });
  drill.figures.aSecondOfWorkAfterMs = Math.round(performance.now() - killedAt);
  return drill.judge();
}

/** Starts a replica of a server in an empty directory; from then on a commit is one only when the replica has it, too. */
async function follow(
  primary: { directUrl(): string; dataDir(): string },
  dataDir: string,
): Promise<EmbeddedPostgres> {
  const url = primary.directUrl();
  await rowsOf(url, `select pg_create_physical_replication_slot('${REPLICA}', true)`);
  await copyRunning(url, primary.dataDir(), dataDir);
  await beginAs(dataDir, 'standby', {
    primary_conninfo: connectionInfo(url),
    primary_slot_name: REPLICA,
  });
  const replica = await startPostgres(dataDir);
  try {
    await rowsOf(url, `alter system set synchronous_standby_names = '${REPLICA}'`);
    await rowsOf(url, 'select pg_reload_conf()');
    await eventually(
      'the replica is synchronous',
      async () =>
        (await rowsOf(url, `select from pg_stat_replication where sync_state = 'sync'`)).length === 1,
      { withinMs: 60_000 },
    );
    return replica;
  } catch (error) {
    await replica.stop({ hurry: true });
    throw error;
  }
}

/** What a replica needs to follow a server, from the address of a client. */
function connectionInfo(url: string): string {
  const { hostname, port, username, password } = new URL(url);
  return `host=${hostname} port=${port} user=${username} password=${password} application_name=${REPLICA}`;
}
