import {
  BRIDGE_EVENT_FIELDS,
  type BridgeEventCondition,
  type BridgeEventField,
  COMPARISONS,
  type Comparison,
} from './bridge-event-filter.ts';
import type { LedgerError } from './ledger-error.ts';
import { schemaCheck, schemaInvalid } from './schema-check.ts';

/** The query of a list. */
export interface ListQuery {
  conditions: BridgeEventCondition[];
  index: number;
  limit: number;
}

const DEFAULT_LIMIT = 10;

const TEXT = { type: 'string', maxLength: 255, pattern: '^[^\\u0000]*$' };
const SCALARS = {
  uuid: TEXT,
  text: TEXT,
  number: { type: 'string', pattern: '^-?\\d{1,9}$' },
  time: { type: 'string', maxLength: 64, format: 'date-time' },
} as const;
/** Without back references and without look-around: the rest is matched in linear time. */
const REGEX = {
  ...TEXT,
  minLength: 1,
  maxLength: 200,
  format: 'regex',
  not: { pattern: '\\\\[1-9]|\\(\\?[^:]|^\\*\\*\\*' },
};

const FIELDS = Object.keys(BRIDGE_EVENT_FIELDS) as BridgeEventField[];

/** Every parameter that there is; a path alone means that it equals. */
const PARAMETERS = new Map<string, { field: BridgeEventField; comparison: Comparison }>(
  FIELDS.flatMap((field) => [
    [field, { field, comparison: '$eq' as const }] as const,
    ...COMPARISONS.filter((comparison) => comparison !== '$regex' || isText(field)).map(
      (comparison) => [`${field}.${comparison}`, { field, comparison }] as const,
    ),
  ]),
);

const checkQuery = schemaCheck(
  {
    type: 'object',
    properties: {
      'page.index': { type: 'string', pattern: '^\\d{1,6}$' },
      'page.limit': { type: 'string', pattern: '^([1-9]\\d?|100)$' },
      ...Object.fromEntries(
        [...PARAMETERS].map(([name, { field, comparison }]) => [name, schemaOf(field, comparison)]),
      ),
    },
    additionalProperties: false,
  },
  'query',
);

/** Reads the query of a list: pages and conditions as `path.$operator=value`. */
export function readListQuery(query: Record<string, unknown>): ListQuery | LedgerError {
  const parameters = parametersIn(query);
  const fault = checkQuery(parameters);
  if (fault) return fault;
  const conditions = Object.entries(parameters).flatMap(([name, value]) => {
    const parameter = PARAMETERS.get(name);
    return parameter ? [{ ...parameter, values: [value].flat() as string[] }] : [];
  });
  return {
    conditions,
    index: Number(parameters['page.index'] ?? 0),
    limit: Number(parameters['page.limit'] ?? DEFAULT_LIMIT),
  };
}

/** The error for a pattern that Postgres cannot read, or not match in time; undefined where there is no pattern. */
export function unusableRegex({ conditions }: ListQuery): LedgerError | undefined {
  const condition = conditions.find(({ comparison }) => comparison === '$regex');
  if (!condition) return undefined;
  const name = `${condition.field}.$regex`;
  return schemaInvalid(
    [
      {
        instancePath: `/${name}`,
        schemaPath: `#/properties/${name}/format`,
        keyword: 'format',
        params: { format: 'regex' },
        message: 'must match format "regex"',
      },
    ],
    'query',
  );
}

function isText(field: BridgeEventField): boolean {
  const type = BRIDGE_EVENT_FIELDS[field];
  return type === 'text' || type === 'uuid';
}

function isList(name: string): boolean {
  const { comparison } = PARAMETERS.get(name) ?? {};
  return comparison === '$in' || comparison === '$nin';
}

/** The suffix that clients append to the name of a parameter for each entry of an array: only `[]`, or its place. */
const ENTRY = /^(?<name>.+?)(?:\[\]|\.\d{1,3})$/;

/**
 * The parameters by their names. Several values are joined by commas, or the parameter is repeated, or each is sent as
 * an entry of an array, `name[]=…` or `name.0=…`; an array of a path alone means one of these.
 */
function parametersIn(query: Record<string, unknown>): Record<string, unknown> {
  const parameters: Record<string, unknown> = Object.create(null);
  for (const [sent, value] of Object.entries(query)) {
    const entry = PARAMETERS.has(sent) ? undefined : listNameOf(ENTRY.exec(sent)?.groups?.name);
    const name = entry ?? sent;
    if (!isList(name)) parameters[name] = value;
    else {
      const values = [value].flat();
      const split = (text: unknown) => (typeof text === 'string' ? text.split(',') : [text]);
      parameters[name] = [parameters[name] ?? [], entry ? values : values.flatMap(split)].flat();
    }
  }
  return parameters;
}

/** The list that an entry of an array belongs to; undefined where there is none. */
function listNameOf(name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  const list = FIELDS.includes(name as BridgeEventField) ? `${name}.$in` : name;
  return isList(list) ? list : undefined;
}

function schemaOf(field: BridgeEventField, comparison: Comparison): object {
  if (comparison === '$regex') return REGEX;
  const scalar = SCALARS[BRIDGE_EVENT_FIELDS[field]];
  return comparison === '$in' || comparison === '$nin'
    ? { type: 'array', maxItems: 100, items: scalar }
    : scalar;
}
