import type { Caller } from '../../../api/authentication/caller.ts';
import type { Problem } from '../../../api/problems/problem.ts';
import type { AuditDetail } from '../../../domain/audit/audit-entry.ts';
import { mayTakeItsPlace } from '../../../domain/policy/whole.ts';
import { noteAct } from '../../../store/audit/entries.ts';
import { lastAct } from '../../../store/audit/reading.ts';
import { type Pool, withTransaction } from '../../../store/db/pool.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import { wholeDigest } from '../../../store/policy/whole-digest.ts';
import { holdTenant, PLATFORM_TENANT } from '../../../store/tenancy/tenants.ts';
import { replacedMeanwhile } from './whole.ts';

/** What the installation has one of, which is set as a whole. */
interface PlatformWhole<Whole> {
  /** Its members in the plural: "ceilings". */
  members: string;
  action: 'platform_limits.changed' | 'retention_floors.changed';
  read(db: Queryable): Promise<Whole>;
  write(db: Queryable, whole: Whole): Promise<void>;
}

/** Sets it in the place of what its setter has read, where they say what that was, and enters that in the audit. */
export async function setPlatformWhole<Whole extends AuditDetail>(
  pool: Pool,
  { members, action, read, write }: PlatformWhole<Whole>,
  whole: Whole,
  { digest, by }: { digest: string | undefined; by: Caller },
): Promise<Problem | undefined> {
  const { id } = PLATFORM_TENANT;
  return withTransaction(pool, async (tx) => {
    await holdTenant(tx, id);
    const now = wholeDigest(await read(tx));
    if (!mayTakeItsPlace({ read: digest, now, next: wholeDigest(whole) })) {
      const last = await lastAct(tx, id, action, id);
      return replacedMeanwhile('settings_changed', {
        what: last
          ? `${last.actor} set other ${members} at ${last.at.toISOString()}`
          : `no ${members} have ever been set`,
        advice: 'Look at them as they are now, and send their `digest` with all that is to hold.',
      });
    }
    await write(tx, whole);
    await noteAct(tx, { tenantId: id, by, action, target: id, detail: { ...whole } });
    return undefined;
  });
}
