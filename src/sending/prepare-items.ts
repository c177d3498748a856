import { type Refusal, refusalOf } from '../domain/endpoints/preparation.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import type { ClaimedItem } from '../store/sending/claims.ts';
import { loadPreparation } from '../store/sending/preparation.ts';
import type { SendingContext } from './sending-context.ts';
import type { TargetLookup } from './target-cache.ts';

/** Where claimed items go, and which of them must not be sent as things are now. */
export interface PreparedItems {
  targetOf: TargetLookup;
  refusals: ReadonlyMap<Id<'execution'>, Refusal>;
}

/** Reads the targets of claimed items, and what their preparation says of those that have one. */
export async function prepareItems(
  { pool, targets }: Pick<SendingContext, 'pool' | 'targets'>,
  items: ClaimedItem[],
): Promise<PreparedItems> {
  const targetOf = await targets.prepare(items);
  const toPrepare = items.filter(({ prepares }) => prepares);
  const refusals = new Map<Id<'execution'>, Refusal>();
  if (toPrepare.length === 0) return { targetOf, refusals };
  const facts = await loadPreparation(
    pool,
    toPrepare.map(({ executionId }) => executionId),
  );
  for (const { executionId, body } of toPrepare) {
    const found = facts.get(executionId);
    const refusal = found && refusalOf({ ...found, body });
    if (refusal) refusals.set(executionId, refusal);
  }
  return { targetOf, refusals };
}
