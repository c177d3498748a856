import type { Id } from '../../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import type { AccessRule } from '../access-rule.ts';

/** A rule as it is kept. */
export interface StoredAccessRule {
  id: Id<'accessRule'>;
  rule: AccessRule;
  createdAt: Date;
}

/** So many rules a tenant may have: all of them are looked at for each request. */
export const MAX_ACCESS_RULES = 500;

/** Adds a rule to a tenant's; undefined where it has as many as it may have. */
export async function insertAccessRule(
  db: Queryable,
  tenantId: Id<'tenant'>,
  rule: AccessRule,
): Promise<StoredAccessRule | undefined> {
  const { rows } = await db.query<RuleRow>(
    `insert into access_rules (tenant_id, rule)
     select $1, $2 where (select count(*) from access_rules where tenant_id = $1) < $3 returning *`,
    [tenantId, JSON.stringify(rule), MAX_ACCESS_RULES],
  );
  return rows[0] && ruleFrom(rows[0]);
}

/** A tenant's rules, newest first, before a given one. */
export async function listAccessRules(
  db: Queryable,
  tenantId: Id<'tenant'>,
  page: { before?: Id<'accessRule'>; limit: number },
): Promise<StoredAccessRule[]> {
  const { rows } = await db.query<RuleRow>(
    'select * from access_rules where tenant_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3',
    [tenantId, page.before ?? null, page.limit],
  );
  return rows.map(ruleFrom);
}

/** Removes a tenant's rule; false where there is none. */
export async function deleteAccessRule(
  db: Queryable,
  tenantId: Id<'tenant'>,
  id: Id<'accessRule'>,
): Promise<boolean> {
  const { rowCount } = await db.query('delete from access_rules where id = $1 and tenant_id = $2', [
    id,
    tenantId,
  ]);
  return rowCount === 1;
}

interface RuleRow {
  id: Id<'accessRule'>;
  rule: AccessRule;
  created_at: Date;
}

function ruleFrom(row: RuleRow): StoredAccessRule {
  return { id: row.id, rule: row.rule, createdAt: row.created_at };
}
