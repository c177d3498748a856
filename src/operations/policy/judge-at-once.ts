import { type AtOnceRefusal, refusedAtOnce } from '../../domain/policy/at-once.ts';
import { judge } from '../../domain/policy/judgement.ts';
import { QUOTAS } from '../../domain/policy/policy.ts';
import { present } from '../../domain/present.ts';
import { type Id, newId } from '../../domain/tenancy/typed-id.ts';
import type { Transaction } from '../../store/db/queryable.ts';
import { type DeliveriesSql, tellAtOnce } from '../../store/policy/at-once.ts';
import { hasFreezeWindows } from '../../store/policy/freeze-spans.ts';
import { platformLimits } from '../../store/policy/platform-limits.ts';
import { policyInForce } from '../../store/policy/policies.ts';
import { chargeDay, lockDay, lookAtQuotas, type OverQuota } from '../../store/policy/quotas.ts';

/** Deliveries that somebody wants sent again by a call that makes no operation. */
export interface AskedAtOnce {
  tenantId: Id<'tenant'>;
  deliveries: DeliveriesSql;
  /** The call names one thing: it is under no quota, no ceiling and no window. */
  single: boolean;
  /** The call sends at most so many of them, and is charged for no more. */
  most?: number;
  reason?: string | undefined;
}

const NOTHING_OVER: OverQuota = { exceeded: [], beyond: [] };

/**
 * Judges deliveries that are to be sent again at once, by the same rules as an operation of them; undefined where they may
 * go, and are charged to the day. Where they may not the transaction is to be taken back: nothing could wait.
 */
export async function judgeAtOnce(
  tx: Transaction,
  { tenantId, deliveries, single, most = Number.POSITIVE_INFINITY, reason }: AskedAtOnce,
): Promise<AtOnceRefusal | undefined> {
  const policy = await policyInForce(tx, tenantId);
  const isCharged = !single && (policy !== undefined || Object.keys(await platformLimits(tx)).length > 0);
  const hasWindows = !single && (await hasFreezeWindows(tx, tenantId));
  if (!policy && !isCharged && !hasWindows) return undefined;
  const day = isCharged ? await lockDay(tx, tenantId) : undefined;
  const { items, risks, frozen } = await tellAtOnce(tx, tenantId, deliveries);
  if (items === 0) return undefined;
  const { exceeded, beyond } =
    day === undefined
      ? NOTHING_OVER
      : // There is no operation: an id of none is compared with those that are open.
        await lookAtQuotas(
          tx,
          { tenantId, operationId: newId('operation'), items, quotas: policy?.rules.quotas ?? {} },
          day,
        );
  const judgement =
    policy &&
    judge(policy.rules, {
      // What was delivered, and is sent again all the same, is a replay of it.
      kind: 'replay',
      target: 'current',
      items,
      risks,
      overQuota: QUOTAS.filter((each) => exceeded.some(({ quota }) => quota === each)),
      ...present({ reason }),
    });
  const refused = refusedAtOnce({ judgement, beyond, frozen: hasWindows && frozen });
  if (!refused && day !== undefined) await chargeDay(tx, tenantId, day, Math.min(items, most));
  return refused;
}

/** Carries a refusal out of the transaction, which only an exception rolls back. */
export class RefusedAtOnce extends Error {
  readonly refusal: AtOnceRefusal;

  constructor(refusal: AtOnceRefusal) {
    super('nothing was sent');
    this.refusal = refusal;
  }
}
