/** A table whose rows lie in partitions by the week of the UUIDv7 that is its key. */
export interface PartitionedTable {
  name: string;
  /** SQL: ids between `$1` and `$2` for which a row may still come, however late; none where absent. */
  awaited?: string;
}

/** Every table of partitions by week; one more takes its line here and a migration. */
export const PARTITIONED_TABLES = [
  { name: 'payloads' },
  // An execution that waits for weeks has its attempt in the week in which it was made.
  { name: 'attempts', awaited: 'select from queue where execution_id >= $1 and execution_id < $2' },
] as const satisfies readonly PartitionedTable[];
