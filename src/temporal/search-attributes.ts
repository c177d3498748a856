import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';

/** What operations can be searched by in the Temporal UI: handles and words, never data of a customer. */
export const TENANT_ATTRIBUTE = defineSearchAttributeKey('RedriveTenant', SearchAttributeType.KEYWORD);

/** Kind of the operation: retry or replay. */
export const KIND_ATTRIBUTE = defineSearchAttributeKey('RedriveKind', SearchAttributeType.KEYWORD);

/** State of the operation, as the API shows it. */
export const STATE_ATTRIBUTE = defineSearchAttributeKey('RedriveState', SearchAttributeType.KEYWORD);
