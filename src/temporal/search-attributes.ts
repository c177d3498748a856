import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import type { TemporalLink } from './connection.ts';

/** What operations can be searched by in the Temporal UI: handles and words, never data of a customer. */
export const TENANT_ATTRIBUTE = defineSearchAttributeKey('RedriveTenant', SearchAttributeType.KEYWORD);

/** Kind of the operation: retry or replay. */
export const KIND_ATTRIBUTE = defineSearchAttributeKey('RedriveKind', SearchAttributeType.KEYWORD);

/** State of the operation, as the API shows it. */
export const STATE_ATTRIBUTE = defineSearchAttributeKey('RedriveState', SearchAttributeType.KEYWORD);

/** IndexedValueType.KEYWORD of Temporal's protocol. */
const KEYWORD = 2;

/**
 * Registers the search attributes where that is allowed and not done yet. Where it is not allowed (Temporal Cloud), an
 * operator has to: docs/operations.md.
 */
export async function registerSearchAttributes({ connection, namespace }: TemporalLink): Promise<void> {
  const names = [TENANT_ATTRIBUTE, KIND_ATTRIBUTE, STATE_ATTRIBUTE].map(({ name }) => name);
  const known = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = names.filter((name) => known.customAttributes[name] === undefined);
  if (missing.length === 0) return;
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(missing.map((name) => [name, KEYWORD])),
  });
}
