/** The members of a listed event that can be filtered by, and their types. */
export const BRIDGE_EVENT_FIELDS = {
  'data.handle': 'uuid',
  'data.bridge': 'text',
  'data.record': 'text',
  'data.linked': 'uuid',
  'meta.status': 'text',
  'meta.replay': 'number',
  'meta.moment': 'time',
} as const;

/** One of {@link BRIDGE_EVENT_FIELDS}. */
export type BridgeEventField = keyof typeof BRIDGE_EVENT_FIELDS;

/** How a member can be compared; `$in` and `$nin` with several values, `$regex` where it is text. */
export const COMPARISONS = ['$eq', '$ne', '$gt', '$gte', '$lt', '$lte', '$in', '$nin', '$regex'] as const;

/** One of {@link COMPARISONS}. */
export type Comparison = (typeof COMPARISONS)[number];

/** One condition; all conditions of a list must hold. */
export interface BridgeEventCondition {
  field: BridgeEventField;
  comparison: Comparison;
  values: string[];
}

/** The statuses of a delivery in the list of the events of a bridge. */
export const BRIDGE_EVENT_STATUSES = ['pending', 'delivered', 'failed', 'cancelled'] as const;

/** One of {@link BRIDGE_EVENT_STATUSES}. */
export type BridgeEventStatus = (typeof BRIDGE_EVENT_STATUSES)[number];
