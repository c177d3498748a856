import type { PoolClient } from 'pg';
import type { Pool } from '../../../src/store/db/pool.ts';
import type { Transaction } from '../../../src/store/db/queryable.ts';

/** A node of a plan, as far as it is looked at here. */
type PlanNode = {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  Plans?: PlanNode[];
};

/** The tables and indexes that a statement would read. */
export type QueryPlan = {
  /** Tables that are read from beginning to end. */
  scanned: string[];
  indexes: string[];
};

/** Ends what `run` does when its first statement is known; nothing of it is executed. */
class Planned extends Error {}

/**
 * How Postgres would run the first statement of `run`: with these parameters, and with `generic` for any, as it does
 * with a named statement that is used often.
 */
export async function planOf(
  pool: Pool,
  run: (db: Transaction) => Promise<unknown>,
  { generic = false }: { generic?: boolean } = {},
): Promise<QueryPlan> {
  const statement = await statementOf(run);
  const client = await pool.connect();
  try {
    await client.query(`prepare planned as ${statement.text}`);
    await client.query(`set plan_cache_mode = ${generic ? 'force_generic_plan' : 'force_custom_plan'}`);
    return await explain(client, statement.values);
  } finally {
    // Settings and prepared statements of this connection belong to this question alone.
    client.release(true);
  }
}

async function statementOf(
  run: (db: Transaction) => Promise<unknown>,
): Promise<{ text: string; values: unknown[] }> {
  let found: { text: string; values: unknown[] } | undefined;
  const query = async (asked: string | { text: string; values?: unknown[] }, values: unknown[] = []) => {
    const statement =
      typeof asked === 'string' ? { text: asked, values } : { text: asked.text, values: asked.values ?? [] };
    // A gate that a selection passes first reads no table.
    if (statement.text.startsWith('select pg_advisory_xact_lock')) return { rows: [], rowCount: 0 };
    found ??= statement;
    throw new Planned();
  };
  await run({ query } as unknown as Transaction).catch((error) => {
    if (!(error instanceof Planned)) throw error;
  });
  if (!found) throw new Error('nothing was asked of the database');
  return found;
}

async function explain(client: PoolClient, values: unknown[]): Promise<QueryPlan> {
  const given = values.map((value) => literal(client, value)).join(', ');
  const { rows } = await client.query(`explain (format json) execute planned${given ? `(${given})` : ''}`);
  const nodes = flatten(rows[0]['QUERY PLAN'][0].Plan);
  return {
    scanned: nodes
      .filter((node) => node['Node Type'] === 'Seq Scan')
      .map((node) => node['Relation Name'] ?? ''),
    indexes: [...new Set(nodes.flatMap((node) => node['Index Name'] ?? []))],
  };
}

function flatten(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(flatten)];
}

function literal(client: PoolClient, value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return client.escapeLiteral(`{${value.map((item) => item ?? 'null').join(',')}}`);
  return client.escapeLiteral(String(value));
}
