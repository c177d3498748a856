/**
 * SQL: the join of a table with a list by its key, `key` being looked up for each row of the list that fulfils
 * `condition`, whatever the planner thinks of the sizes of both.
 *
 * The queue is empty most of the time. A vacuum that finds it so, or nearly so in the pages of an outage that is over, has
 * each statement planned for a table of no rows until the next one: all of it is then read, and compared with all of the
 * list. So neither may seem cheap. An element of an array cannot be joined in the order of an index, so that no index is
 * read as a whole; and a list seems to be of one row, which costs a look-up less than the table.
 */
export function lookedUp(key: string, by: string, condition = `${by} is not null`): string {
  // An expression equals a constant once in two hundred: of a whole page that is one row only where it does so twice.
  return `${key} = any(array[${by}])
        and case when ${condition} then 1 end = 1 and case when ${condition} then 2 end = 2`;
}

/** SQL: whether a delivery is in the queue, looked up alone: for a join, or an `exists`, all of the queue may be read. */
export function isQueued(deliveryId: string): string {
  return `((select q.delivery_id from queue q where q.delivery_id = ${deliveryId}) is not null)`;
}
