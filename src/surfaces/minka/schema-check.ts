import { Ajv, type AnySchemaObject, type ErrorObject } from 'ajv';
import formatsPlugin from 'ajv-formats';
import { readInstant } from '../../domain/time/instant.ts';
import type { LedgerError } from './ledger-error.ts';

/** Says what is wrong with a value, as an error of the ledger; undefined where nothing is. */
export type SchemaCheck = (value: unknown) => LedgerError | undefined;

/** More errors than these help nobody, and looking for all of them in a large value takes longer than it is worth. */
const MAX_ERRORS = 20;
const MAX_MEMBERS = 100;
/** Names of unknown members are repeated in the answer, and can be as long as the request. */
const MAX_NAME = 200;

const every = withFormats(new Ajv({ allErrors: true, allowUnionTypes: true }));
const first = withFormats(new Ajv({ allowUnionTypes: true }));

/** Compiles a schema; `subject` is the name of the value in the detail, such as `data`. */
export function schemaCheck(schema: AnySchemaObject, subject?: string): SchemaCheck {
  const checks = { every: every.compile(schema), first: first.compile(schema) };
  return (value) => {
    const check = memberCount(value, MAX_MEMBERS) > MAX_MEMBERS ? checks.first : checks.every;
    return check(value) ? undefined : schemaInvalid((check.errors ?? []).slice(0, MAX_ERRORS), subject);
  };
}

/** An error as JSON Schema validators report it. */
export type SchemaFault = Pick<ErrorObject, 'instancePath' | 'schemaPath' | 'keyword' | 'params' | 'message'>;

/** The error for the faults that a validator found. */
export function schemaInvalid(faults: SchemaFault[], subject?: string): LedgerError {
  const said = faults.map(({ instancePath, message }) => {
    const where = [...(subject === undefined ? [] : [subject]), ...instancePath.split('/').slice(1)];
    return [where.join('.'), message].filter(Boolean).join(' ');
  });
  const errors = faults.map(({ instancePath, schemaPath, keyword, params, message }) => ({
    instancePath,
    schemaPath,
    keyword,
    params: Object.fromEntries(
      Object.entries(params).map(([name, value]) => [
        name,
        typeof value === 'string' ? value.slice(0, MAX_NAME) : value,
      ]),
    ),
    message,
  }));
  return {
    status: 422,
    reason: 'record.schema-invalid',
    detail: `Schema validator error: ${said.join(', ')}`,
    custom: { errors },
  };
}

/** Counts members and entries at every depth; it stops once there are more than `most`. */
function memberCount(value: unknown, most: number): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  for (const name in value) {
    count += 1 + memberCount((value as Record<string, unknown>)[name], most - count);
    if (count > most) break;
  }
  return count;
}

function withFormats(ajv: Ajv): Ajv {
  // The package is CommonJS: its types say that the default import is the module, at run time it is the function.
  (formatsPlugin as unknown as (instance: Ajv) => void)(ajv);
  // One reader of times on all surfaces.
  ajv.addFormat('date-time', (text) => readInstant(text).ok);
  return ajv;
}
