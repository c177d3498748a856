import { randomBytes } from 'node:crypto';
import type { Operation } from '../../../src/domain/operations/operation.ts';
import type { Party } from '../../../src/domain/policy/approver.ts';
import { NO_POLICY, type Policy } from '../../../src/domain/policy/policy.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { planNext } from '../../../src/operations/plans/make-plan.ts';
import {
  sayTo,
  type VerdictCommand,
  type VerdictResult,
} from '../../../src/operations/policy/approve-operation.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { loadPlan } from '../../../src/store/plans/plans.ts';
import { writePolicy } from '../../../src/store/policy/policies.ts';
import { insertApiKey } from '../../../src/store/tenancy/api-keys.ts';
import type { TestStore, TestTenant } from './test-store.ts';

/** What somebody says, without the hash where that is the one of the plan. */
export type Said =
  | Exclude<VerdictCommand, { do: 'approve' }>
  | { do: 'approve'; planHash?: string; comment?: string };

/** The policy of one tenant, and those who approve, step by step and without Temporal. */
export interface TestPolicy {
  set(policy: Partial<Policy>): Promise<void>;
  /** Makes a key that stands for somebody. */
  person(name: string, maker?: Party): Promise<Required<Party>>;
  /** Makes the plan of an operation as its workflow would, which the policy then judges. */
  judged(operationId: Id<'operation'>): Promise<Operation>;
  say(operationId: Id<'operation'>, by: Party, said: Said): Promise<VerdictResult>;
}

/** The policy of a tenant. */
export function policyOf(store: TestStore, tenant: TestTenant): TestPolicy {
  const load = async (operationId: Id<'operation'>): Promise<Operation> => {
    const operation = await loadOperation(store.pool, operationId);
    if (!operation) throw new Error('no operation');
    return operation;
  };
  return {
    async set(policy) {
      await withTransaction(store.pool, (tx) =>
        writePolicy(tx, tenant.id, { ...NO_POLICY, ...policy }, 'key_admin'),
      );
    },
    async person(name, maker = { actor: 'key_of_an_administrator' }) {
      const actor = `actor:${name}`;
      const made = await insertApiKey(store.pool, {
        tenantId: tenant.id,
        name,
        hash: randomBytes(32),
        scopes: ['approve:retries'],
        actor,
        maker,
      });
      if (!made) throw new Error('no key');
      return { actor, keyId: made.id };
    },
    async judged(operationId) {
      while (await planNext(store.pool, operationId, { stretch: 2 }));
      return load(operationId);
    },
    async say(operationId, by, said) {
      const planned = (await loadPlan(store.pool, operationId))?.planned;
      const command =
        said.do === 'approve' ? { ...said, planHash: said.planHash ?? planned?.planHash ?? '' } : said;
      return sayTo(store.deps, tenant.id, operationId, command, by);
    },
  };
}
