import { execFile } from 'node:child_process';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { promisify } from 'node:util';
import { connectTemporal } from '../src/temporal/connection.ts';
import type { Rig } from './rig.ts';

/** The versions and the machine of a run, without anything that tells whose machine it was. */
export async function describeRun(rig: Rig): Promise<Record<string, string | number>> {
  const { rows } = await rig.pool.query<{ server_version: string }>('show server_version');
  const { connection } = await connectTemporal({ address: rig.temporal.address });
  const { serverVersion } = await connection.workflowService
    .getSystemInfo({})
    .finally(() => connection.close());
  return {
    node: process.version,
    postgres: rows[0]?.server_version ?? '',
    temporal: serverVersion ?? '',
    redrive: await commit(),
    platform: `${process.platform} ${process.arch}`,
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? '',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
}

/** The commit that was measured, with a mark where files differ from it. */
async function commit(): Promise<string> {
  const { stdout } = await promisify(execFile)('git', [
    'describe',
    '--always',
    '--dirty',
    '--exclude=*',
  ]).catch(() => ({ stdout: 'unknown' }));
  return stdout.trim();
}
