import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import type { TemporalLink } from './connection.ts';

/** Handle of the tenant. The Temporal UI searches operations by handles, ids and words, never by data of a customer. */
export const TENANT_ATTRIBUTE = defineSearchAttributeKey('RedriveTenant', SearchAttributeType.KEYWORD);

/** Kind of the operation: retry or replay. */
export const KIND_ATTRIBUTE = defineSearchAttributeKey('RedriveKind', SearchAttributeType.KEYWORD);

/** State of the operation, as the API shows it. */
export const STATE_ATTRIBUTE = defineSearchAttributeKey('RedriveState', SearchAttributeType.KEYWORD);

/** Id of the operation, as the API shows it. */
export const OPERATION_ATTRIBUTE = defineSearchAttributeKey('RedriveOperation', SearchAttributeType.KEYWORD);

/** Code of the operation's halt, while it is halted. */
export const HALT_ATTRIBUTE = defineSearchAttributeKey('RedriveHalt', SearchAttributeType.KEYWORD);

/** The names of all of them; each is a keyword. */
export const SEARCH_ATTRIBUTES: readonly string[] = [
  TENANT_ATTRIBUTE,
  KIND_ATTRIBUTE,
  STATE_ATTRIBUTE,
  OPERATION_ATTRIBUTE,
  HALT_ATTRIBUTE,
].map(({ name }) => name);

/** IndexedValueType.KEYWORD of Temporal's protocol. */
const KEYWORD = 2;

/**
 * Registers the search attributes where that is allowed and not done yet. Where it is not allowed (Temporal Cloud), an
 * operator has to: docs/operations.md.
 */
export async function registerSearchAttributes({ connection, namespace }: TemporalLink): Promise<void> {
  const known = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = SEARCH_ATTRIBUTES.filter((name) => known.customAttributes[name] === undefined);
  if (missing.length === 0) return;
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(missing.map((name) => [name, KEYWORD])),
  });
}
