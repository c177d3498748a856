import pg from 'pg';
import { isConnectionGone } from '../../domain/words-of-pg.ts';
import { askForWeek } from '../partitions/ask-for-week.ts';
import { onlyRow } from './only-row.ts';
import type { Queryable, Transaction } from './queryable.ts';
import { sessionOf } from './session.ts';
import { codeOf, READ_ONLY_TRANSACTION, SERIALIZATION_FAILURE, wasUndone } from './sqlstate.ts';

/** Connections to Postgres; a statement names the type of its rows. */
export type Pool = Omit<pg.Pool, 'query'> & Queryable;

/** Options of a pool besides its defaults. */
export type PoolOptions = {
  /** Connections at most. */
  max?: number;
  /** Shown in pg_stat_activity, so that an operator sees whose connection it is. */
  applicationName?: string;
  /** The server ends any statement that runs longer; 0 means never. */
  statementTimeoutMs?: number;
  /** A connection, and any statement, is given up after this time even by a server that says nothing at all. */
  answersWithinMs?: number;
  /** Its statements are look-ups that somebody waits for: they are planned as {@link LOOK_UPS} says. */
  lookUps?: boolean;
};

/** Options of a transaction. */
export type TransactionOptions = {
  /** Runs of `fn` at most, the first one included. */
  maxAttempts?: number;
  isolation?: 'read committed' | 'repeatable read' | 'serializable';
  /** Plans its named statements once for each connection, as {@link PoolOptions.lookUps} says. */
  lookUps?: boolean;
  /** Reads as of the moment that another transaction exported, which is still open; writes nothing. */
  snapshot?: string;
};

/** Codes of a lost or refused connection: SQLSTATE class 08, shutdown, start-up, idle for too long, too many connections, and the codes of sockets. */
const CONNECTION_LOST = /^(08...|57P0[1235]|53300|ECONNRESET|ECONNREFUSED|EPIPE|ETIMEDOUT)$/;

/** Longer than any transaction idles while pages of a selection are frozen. */
const IDLE_IN_TRANSACTION_MS = 15_000;

/**
 * Named statements are planned once for each connection, where planning takes longer than running: and by indexes, as a
 * plan that was made for small tables would be kept while they grow. What has no index counts as endlessly dear then,
 * and would be compiled each time.
 */
const LOOK_UPS = { plan_cache_mode: 'force_generic_plan', enable_seqscan: 'off', jit: 'off' };

const { builtins } = pg.types;

/** Parsers of our own for two types; everything else is parsed as pg does. */
const PARSERS = new Map<number, (text: string) => unknown>([
  [builtins.INT8, parseInt8],
  [1016, (text) => arrayItems(text).map((item) => (item === null ? null : parseInt8(item)))],
]);

/**
 * A pool whose rows hold `number` for int8 and `Date` for timestamptz. An int8 beyond 2^53 becomes a `bigint`
 * rather than a wrong number.
 */
export function createPool(url: string, options: PoolOptions = {}): Pool {
  const pool = new pg.Pool({
    ...sessionOf(url, options.lookUps ? LOOK_UPS : {}),
    max: options.max ?? 10,
    application_name: options.applicationName ?? 'redrive',
    ...(options.statementTimeoutMs !== undefined && { statement_timeout: options.statementTimeoutMs }),
    connectionTimeoutMillis: options.answersWithinMs ?? 10_000,
    ...(options.answersWithinMs !== undefined && { query_timeout: options.answersWithinMs }),
    // A process that was stopped, or cut off, in the middle of a transaction must not keep its locks for ever: others
    // could not settle its claims.
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    keepAlive: true,
    types: {
      getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
        (format !== 'binary' && PARSERS.get(oid)) ||
        pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
    },
  });
  // Without a listener an idle connection that the server closes would end the process. The pool has dropped it
  // already.
  pool.on('error', () => {});
  return pool;
}

/**
 * Has the transaction that throws it run again from its beginning: what it was decided by has changed meanwhile. Whoever
 * calls gets it after the last run, as a serialization failure.
 */
export class BeginAgain extends Error {
  readonly code = SERIALIZATION_FAILURE;
}

/**
 * Runs `fn` in a transaction and commits it; any error undoes it.
 *
 * `fn` is run again after a serialization failure or a deadlock (the server says that nothing happened), where it asks for
 * it ({@link BeginAgain}), and when the connection is lost before BEGIN was answered. A connection lost later is never
 * retried here: COMMIT may have happened, and only the caller knows whether its work may be done twice. So `fn` must have
 * no effect outside the database.
 */
export async function withTransaction<Result>(
  pool: Pool,
  fn: (tx: Transaction) => Promise<Result>,
  options: TransactionOptions = {},
): Promise<Result> {
  const maxAttempts = options.maxAttempts ?? 5;
  try {
    return await again(maxAttempts, () => runOnce(pool, beginning(options), fn));
  } catch (error) {
    askForWeek(pool, error);
    throw error;
  }
}

function beginning({ isolation, snapshot, lookUps }: TransactionOptions): string {
  // The name of a snapshot comes from Postgres itself; the statement takes no parameters.
  if (snapshot !== undefined)
    return `begin isolation level repeatable read read only; set transaction snapshot '${snapshot}'`;
  const begin = isolation === undefined ? 'begin' : `begin isolation level ${isolation}`;
  if (!lookUps) return begin;
  return [begin, ...Object.entries(LOOK_UPS).map(([name, value]) => `set local ${name} = ${value}`)].join(
    '; ',
  );
}

/** Exports what a transaction sees now to others, until it ends. */
export async function exportSnapshot(tx: Transaction): Promise<string> {
  return onlyRow(await tx.query<{ snapshot: string }>('select pg_export_snapshot() as snapshot')).snapshot;
}

/**
 * Runs one statement that is a transaction of its own, and runs it again after a serialization failure or a deadlock:
 * the server says that nothing happened.
 */
export function withRetries<Result>(statement: () => Promise<Result>, maxAttempts = 5): Promise<Result> {
  return again(maxAttempts, statement);
}

async function again<Result>(maxAttempts: number, run: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run();
    } catch (error) {
      if (attempt >= maxAttempts || !isRetryable(error))
        throw error instanceof BeginFailed ? error.cause : error;
      await new Promise((resolve) => setTimeout(resolve, 10 * 2 ** attempt * (0.5 + Math.random())));
    }
  }
}

async function runOnce<Result>(
  pool: Pool,
  begin: string,
  fn: (tx: Transaction) => Promise<Result>,
): Promise<Result> {
  let lost: Error | undefined;
  // Between two statements a lost connection is an event, and an event without a listener ends the process.
  const onLost = (error: Error) => {
    lost ??= error;
  };
  const client = await beginTransaction(pool, begin, onLost);
  try {
    const result = await fn(client as unknown as Transaction);
    await client.query('commit');
    return result;
  } catch (error) {
    if (lost === undefined) await client.query('rollback').catch(onLost);
    // A session keeps how it began: a server that takes writes again may take them on new ones alone.
    if (isStalePlan(error) || codeOf(error) === READ_ONLY_TRANSACTION) lost ??= error as Error;
    throw error;
  } finally {
    client.off('error', onLost);
    client.release(lost);
  }
}

/** Listens from the first statement on: the end of a connection can come in one piece with the answer to it. */
async function beginTransaction(
  pool: Pool,
  begin: string,
  onLost: (error: Error) => void,
): Promise<pg.PoolClient> {
  let client: pg.PoolClient | undefined;
  try {
    client = await pool.connect();
    client.on('error', onLost);
    await client.query(begin);
    return client;
  } catch (error) {
    client?.off('error', onLost);
    client?.release(true);
    throw new BeginFailed('no transaction was begun', { cause: error });
  }
}

/** Tells a connection that was lost before anything happened from one that was lost later. */
class BeginFailed extends Error {}

function isRetryable(error: unknown): boolean {
  if (error instanceof BeginFailed) return isConnectionLost(error.cause);
  return wasUndone(error);
}

/** Whether a connection had prepared a statement before a migration changed its columns: a new one prepares it again. */
export function isStalePlan(error: unknown): boolean {
  const { code, routine } = (error ?? {}) as { code?: unknown; routine?: unknown };
  return code === '0A000' && routine === 'RevalidateCachedQuery';
}

/** Whether an error says that the database cannot be reached, as opposed to that it refuses a statement. */
export function isConnectionLost(error: unknown): boolean {
  return CONNECTION_LOST.test(codeOf(error)) || isConnectionGone(error);
}

function parseInt8(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

/** The items of a one-dimensional array of numbers in its text form. */
function arrayItems(text: string): (string | null)[] {
  if (text === '{}') return [];
  return text
    .slice(1, -1)
    .split(',')
    .map((item) => (item === 'NULL' ? null : item));
}
