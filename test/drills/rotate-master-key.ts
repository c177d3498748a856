import { randomBytes } from 'node:crypto';
import { createSealer } from '../../src/sealing/sealing.ts';
import { readMasterKeys } from '../../src/store/db/installation.ts';
import { countSealedOtherwise } from '../../src/store/sealed/sealed-values.ts';
import { addEndpoints } from '../support/api/add-endpoints.ts';
import { eventually } from '../support/eventually.ts';
import { Drill, type DrillPlan, type DrillResult } from './drill.ts';
import type { MasterKeys } from './fleet.ts';
import { present } from './version.ts';

/** Endpoints that are sent nothing: what is sealed is to take longer to be sealed anew than a look at it. */
const QUIET_ENDPOINTS = 5_000;

/**
 * Rotates the master key in the three deploys that it takes, under load, each process replaced one after the other: first
 * all know the next key, then all seal by it, then nobody knows the one before. In the middle of each an endpoint gets a
 * new secret, sealed by an API of the new keys while workers still have the old ones. Every request that a receiver got
 * has to be signed by a secret of its endpoint, and to have its sealed header.
 */
export async function rotateMasterKey(plan: DrillPlan): Promise<DrillResult> {
  // Three deploys are to find the operation at work.
  const drill = await Drill.start({ ...plan, ratePerSecond: Math.ceil(plan.ratePerSecond / 2) });
  try {
    return await rotate(drill, drill.fleet.keys.masterKey, randomBytes(32));
  } finally {
    await drill.stop();
  }
}

async function rotate(drill: Drill, before: Buffer, next: Buffer): Promise<DrillResult> {
  await addEndpoints(drill.pool, {
    ...{ masterKey: before, tenantId: drill.tenantId, eventType: 'drill.quiet', count: QUIET_ENDPOINTS },
    urlAt: (host) => `http://${host}/`,
  });
  await drill.reaches(0.1);
  await deploy(drill, { masterKey: before, otherMasterKey: next });
  drill.say('every process opens by both keys');
  const sealingSince = performance.now();
  await deploy(drill, { masterKey: next, otherMasterKey: before });
  drill.say('every process seals by the next key');
  await eventually('everything is sealed anew', () => isSealedBy(drill, next, before), {
    withinMs: drill.plan.withinMs,
  });
  drill.figures.sealedAnewWithinMs = Math.round(performance.now() - sealingSince);
  drill.say('everything is sealed anew');
  await deploy(drill, { masterKey: next });
  drill.figures.requestsBeforeTheEnd = drill.sent();
  drill.say('nobody knows the key before');
  return drill.judge();
}

/** Replaces every process by one that has these keys, the new one first each time. */
async function deploy(drill: Drill, keys: MasterKeys): Promise<void> {
  const { fleet, plan } = drill;
  const version = present(plan.workflowBundle);
  fleet.useKeys(keys);
  await fleet.startApi(version);
  await drill.rotateSecret('quick');
  for (let left = fleet.workers; left > 0; left--) {
    await fleet.startWorker(version);
    await fleet.stopOldestWorker();
  }
}

/** Whether a process that knows this key alone may start, and could open everything. */
async function isSealedBy({ pool }: Drill, key: Buffer, before: Buffer): Promise<boolean> {
  const { masterKeyCheck, rotation } = createSealer(key, { otherMasterKey: before });
  if (!rotation) throw new Error('two keys are no rotation');
  const { sealedUnder } = await readMasterKeys(pool);
  return sealedUnder === masterKeyCheck && (await countSealedOtherwise(pool, rotation.sealedPrefix)) === 0;
}
