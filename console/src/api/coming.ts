import { errorOf } from '@redrive/client';
import { client, type Schema } from './client.ts';

/**
 * The calls that the committed document does not have yet, typed by hand: the figures and the session. Each moves to
 * `queries.ts`, with the generated types, as soon as `openapi/native.json` has it.
 */

/** A number of deliveries, and how sure it is. */
export interface Counted {
  count: number;
  basis: 'exact' | 'atLeast';
  asOf: string;
}

/** Failures in groups, largest first. */
export interface FailureGroups extends Counted {
  groups: {
    endpointId?: string;
    faultCode?: string | null;
    httpStatus?: number | null;
    eventType?: string | null;
    hour?: string;
    count: number;
  }[];
  /** The groups that are not shown: with them, the numbers add up. */
  others: { groups: number; count: number };
}

/** What is common to figures of time. */
interface Figures {
  asOf: string;
  from: string;
  to: string;
  granularity: 'minute' | 'hour' | 'day';
  /** The beginnings of the spans: each is there, also where nothing happened. */
  buckets: string[];
  total: number;
}

/** Attempts by the time at which they began. */
export interface AttemptStats extends Figures {
  series: {
    outcome?: string;
    endpointId?: string;
    faultCode?: string | null;
    eventType?: string;
    total: number;
    counts: number[];
  }[];
  others: { groups: number; total: number; counts: number[] };
  truncated: boolean;
  countedSince: string;
}

/** Events by the time at which they were accepted. */
export interface EventStats extends Figures {
  counts: number[];
}

/** Something that was found by an id or an exact name. */
export interface Found {
  kind:
    | 'delivery'
    | 'execution'
    | 'event'
    | 'operation'
    | 'plan'
    | 'endpoint'
    | 'key'
    | 'auditEntry'
    | 'action';
  id: string;
  /** What of it is as it was asked for. */
  matched: string;
  /** A word that tells it from others. */
  title: string;
  state: string | null;
}

/** The counts of an operation at a moment. */
export interface Sample {
  at: string;
  counts: Schema<'OperationCounts'>;
}

/** The counts of an operation at an endpoint, with its canary. */
export interface OperationEndpoint {
  endpointId: string;
  handle: string;
  counts: Schema<'OperationCounts'>;
  canary: {
    state: 'testing' | 'passed' | 'held';
    allowed: number;
    claimed: number;
    attempts: number | null;
    bad: number | null;
  } | null;
}

/** An operation by endpoint: with the others the counts add up. */
export interface OperationEndpoints {
  asOf: string;
  basis: 'exact' | 'atLeast';
  endpointCount: number;
  endpoints: OperationEndpoint[];
  others: Schema<'OperationCounts'>;
}

/** A version of an endpoint, with what it changed. */
export interface EndpointVersion {
  version: number;
  current: boolean;
  createdAt: string;
  headersChanged: boolean;
  changed: { member: string; was?: unknown; now?: unknown }[];
}

type Query = Record<string, string | number | readonly (string | number)[] | undefined>;

/** The path with its parameters; lists are repeated. */
export function pathWith(path: string, query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    for (const each of Array.isArray(value) ? value : [value])
      if (each !== undefined) parameters.append(name, String(each));
  const text = parameters.toString();
  return text === '' ? path : `${path}?${text}`;
}

/** Reads what a path answers. */
export async function read<Answer>(path: string, signal?: AbortSignal): Promise<Answer> {
  return answered(await client.raw(path, signal ? { signal } : {}));
}

/** Sends a body of JSON to a path. */
export async function send<Answer>(
  method: 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<Answer> {
  const content = { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body ?? {}) };
  return answered(await client.raw(path, { method, ...(method === 'DELETE' ? {} : content) }));
}

async function answered<Answer>(response: Response): Promise<Answer> {
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw errorOf(body, response);
  return body as Answer;
}
