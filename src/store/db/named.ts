import { createHash } from 'node:crypto';
import type { Statement } from './queryable.ts';

const DIGITS = 16;

/** A statement that is prepared once for each connection, whose text has a few forms: its name tells them apart. */
export function named(name: string, text: string, values: unknown[]): Statement {
  const form = createHash('sha256').update(text).digest('hex').slice(0, DIGITS);
  return { name: `${name}-${form}`, text, values };
}
