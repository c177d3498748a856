import { type Pool, withTransaction } from '../../../src/store/db/pool.ts';
import type { Answer, Queryable, Statement, Transaction } from '../../../src/store/db/queryable.ts';
import { PARTITIONED_TABLES } from '../../../src/store/partitions/partitioned-tables.ts';

type PlanNode = {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Loops'?: number;
  Plans?: PlanNode[];
};

const OF_PARTITIONS = new RegExp(`\\b(${PARTITIONED_TABLES.map(({ name }) => name).join('|')})\\b`);

/**
 * The partitions that the statements of `run` look into, by the plan for their values or, `generic`, for any. What it does
 * is undone.
 */
export async function partitionsRead(
  pool: Pool,
  run: (tx: Transaction) => Promise<unknown>,
  { generic = false }: { generic?: boolean } = {},
): Promise<string[]> {
  const read = new Set<string>();
  const undone = new Error('undone');
  await withTransaction(pool, async (tx) => {
    let statements = 0;
    const explaining: Queryable = {
      async query<Row extends object>(
        asked: string | Statement,
        given?: readonly unknown[],
      ): Promise<Answer<Row>> {
        const { text, values = [] } = typeof asked === 'string' ? { text: asked, values: given } : asked;
        if (OF_PARTITIONS.test(text)) {
          statements += 1;
          for (const name of await executed(tx, { text, values }, { generic })) read.add(name);
        }
        return tx.query<Row>(text, values);
      },
    };
    await run(explaining as Transaction);
    if (statements === 0) throw new Error('nothing was asked of these tables');
    throw undone;
  }).catch((error) => {
    if (error !== undone) throw error;
  });
  return [...read].sort();
}

async function executed(
  tx: Transaction,
  { text, values }: { text: string; values: readonly unknown[] },
  { generic }: { generic: boolean },
): Promise<string[]> {
  await tx.query('savepoint explained');
  await tx.query(`set local plan_cache_mode = ${generic ? 'force_generic_plan' : 'force_custom_plan'}`);
  await tx.query(`prepare explained as ${text}`);
  const given = values.map(literal).join(', ');
  const { rows } = await tx.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
    `explain (analyze, format json) execute explained${given ? `(${given})` : ''}`,
  );
  await tx.query('rollback to explained');
  await tx.query('deallocate explained');
  return flatten(rows[0]?.['QUERY PLAN'][0].Plan as PlanNode)
    .filter((node) => (node['Actual Loops'] ?? 0) > 0)
    .flatMap((node) => node['Relation Name'] ?? [])
    .filter((name) => /_(\d{8}|before)$/.test(name));
}

function flatten(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(flatten)];
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Buffer.isBuffer(value)) return `'\\x${value.toString('hex')}'`;
  if (Array.isArray(value))
    return quoted(
      `{${value.map((item) => (item === null || item === undefined ? 'null' : element(item))).join(',')}}`,
    );
  return quoted(value instanceof Date ? value.toISOString() : String(value));
}

function element(item: unknown): string {
  const text = Buffer.isBuffer(item) ? `\\x${item.toString('hex')}` : String(item);
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

function quoted(text: string): string {
  return text.includes('\\') ? `E'${text.replace(/['\\]/g, '\\$&')}'` : `'${text.replaceAll("'", "''")}'`;
}
