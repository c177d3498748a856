import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { MESSAGES_OF_PG } from '../../../src/domain/words-of-pg.ts';
import { isOutage } from '../../../src/store/db/outage.ts';
import { letIn } from '../../support/store/test-database.ts';
import { useStore } from '../../support/store/use-store.ts';

const coded = (code: string, more = {}) =>
  Object.assign(new Error('a text that says nothing'), { code, ...more });

const store = useStore();

/** The error with which a session of its own fails to begin. */
async function inOwnSession(connectionString: string): Promise<unknown> {
  const client = new pg.Client({ connectionString });
  try {
    await client.connect();
    return undefined;
  } catch (error) {
    return error;
  } finally {
    await client.end().catch(() => {});
  }
}

describe('an error of a step', () => {
  test.each([
    '08006',
    '08P01',
    '28P01',
    '3D000',
    '40001',
    '40P01',
    '53100',
    '53200',
    '53300',
    '55P03',
    '57014',
    '57P01',
    '57P03',
    '58030',
    '25006',
    'ECONNRESET',
    'ECONNREFUSED',
    'EPIPE',
    'ETIMEDOUT',
    'EHOSTUNREACH',
    'ENOTFOUND',
    'EAI_AGAIN',
  ])('with the code %s says that something is away', (code) => {
    expect(isOutage(coded(code))).toBe(true);
  });

  test.each([
    '22008',
    '22P02',
    '22003',
    '21000',
    '23502',
    '23505',
    '23514',
    '42601',
    '42P01',
    '42501',
    '0A000',
    'P0001',
    'RD001',
    'RD002',
    'XX001',
    'counts_disagree',
    'ERR_INVALID_ARG_TYPE',
  ])('with the code %s says that it would fail again', (code) => {
    expect(isOutage(coded(code))).toBe(false);
  });

  test('that lets no session begin says so in whatever language, as where a database takes no connections for a while', async () => {
    await letIn(store.url, false);
    const refused = await inOwnSession(store.url).finally(() => letIn(store.url, true));
    expect(refused).toMatchObject({ code: '55000', severity: 'FATAL' });
    for (const severity of ['FATAL', 'FATALE', 'ФАТАЛЬНО'])
      expect(isOutage(Object.assign(refused as Error, { severity }))).toBe(true);
    expect(isOutage(coded('55000', { severity: 'ERROR', file: 'sequence.c' }))).toBe(false);
  });

  test('that a pooler ends, naming no file of Postgres, is one as well', () => {
    expect(isOutage(coded('XX000', { severity: 'FATAL' }))).toBe(true);
    expect(isOutage(coded('XX000', { severity: 'ERROR' }))).toBe(false);
    expect(isOutage(coded('25P04', { severity: 'FATALE' }))).toBe(true);
  });

  test('that has no code has a message that pg still has', async () => {
    const files = ['pg/lib/client.js', 'pg-pool/index.js'];
    const sources = await Promise.all(
      files.map((file) => readFile(new URL(`../../../node_modules/${file}`, import.meta.url), 'utf8')),
    );
    for (const message of MESSAGES_OF_PG) expect(sources.join()).toContain(`new Error('${message}`);
  });

  test('without a code is told by what the pool says, or by its class', () => {
    expect(isOutage(new Error('timeout exceeded when trying to connect'))).toBe(true);
    expect(isOutage(new Error('Connection terminated unexpectedly'))).toBe(true);
    expect(isOutage(new Error('Cannot use a pool after calling end on the pool'))).toBe(true);
    expect(isOutage(new DOMException('stopped', 'AbortError'))).toBe(true);
    for (const mistake of [
      new TypeError('x is not a function'),
      new RangeError('too deep'),
      new Error(''),
      undefined,
    ])
      expect(isOutage(mistake)).toBe(false);
  });

  test('of a socket in a folder is one where nobody listens, and a file that is missing is none', () => {
    expect(isOutage(coded('ENOENT', { syscall: 'connect' }))).toBe(true);
    expect(isOutage(coded('ENOENT', { syscall: 'open' }))).toBe(false);
  });

  test('of several addresses is one where all of them are away', () => {
    expect(isOutage(new AggregateError([coded('ECONNREFUSED'), coded('EHOSTUNREACH')]))).toBe(true);
    expect(isOutage(new AggregateError([coded('ECONNREFUSED'), coded('22P02')]))).toBe(false);
  });

  test('of a statement that was prepared before a migration passes by itself', () => {
    expect(isOutage(coded('0A000', { routine: 'RevalidateCachedQuery' }))).toBe(true);
  });
});
