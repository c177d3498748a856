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
  const drill = await Drill.start(plan);
  const dataDir = await newDataDir();
  const { postgres } = drill.parts;
  let replica: EmbeddedPostgres | undefined;
  try {
    await drill.reaches(0.1);
    replica = await follow(postgres, dataDir);
    drill.say('a synchronous replica follows');
    await drill.reaches(0.4);
    const killedAt = performance.now();
    await postgres.kill();
    const sentBefore = drill.sent();
    drill.say('the primary is killed');
    await rowsOf(replica.url, 'select pg_promote()');
    postgres.replaceBy(replica, dataDir);
    replica = undefined;
    drill.figures.promotedAfterMs = Math.round(performance.now() - killedAt);
    drill.say('the replica is promoted');
    await eventually('sending goes on', () => drill.sent() > sentBefore + plan.ratePerSecond, {
      withinMs: 60_000,
    });
    drill.figures.aSecondOfWorkAfterMs = Math.round(performance.now() - killedAt);
    return await drill.judge();
  } finally {
    // One that was not promoted is nobody's.
    await replica?.stop({ hurry: true });
    await drill.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
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
