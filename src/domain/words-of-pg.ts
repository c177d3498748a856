/** Messages of pg, which translates none and gives these no code, about a connection that is gone. */
const CONNECTION_GONE = ['Connection terminated', 'Client has encountered a connection error'];

/** The same where there is no connection to be had, or none any more. */
const NO_CONNECTION = [
  'timeout exceeded when trying to connect',
  'Query read timeout',
  'Cannot use a pool after calling end',
  'Client was closed',
];

/** The beginnings of messages that stand for a code; each is in the sources of pg, or it would be compared in vain. */
export const MESSAGES_OF_PG: readonly string[] = [...CONNECTION_GONE, ...NO_CONNECTION];

/** Whether an error without a code says that a connection to Postgres is gone. */
export function isConnectionGone(error: unknown): boolean {
  return begins(error, CONNECTION_GONE);
}

/** Whether an error says that the pool gives no connection at present. */
export function isWithoutConnection(error: unknown): boolean {
  return begins(error, NO_CONNECTION);
}

function begins(error: unknown, messages: readonly string[]): boolean {
  return error instanceof Error && messages.some((message) => error.message.startsWith(message));
}
