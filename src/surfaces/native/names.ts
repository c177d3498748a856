import { z } from 'zod';
import { type FieldError, type Problem, problem } from '../../api/problem.ts';
import type { Route } from '../../api/route.ts';
import { MAX_EXPLICIT_IDS } from '../../domain/operations/selection.ts';
import { readId } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../../store/db/queryable.ts';
import { endpointsNamed, eventsNamed, type NamedIds } from '../../store/reading/named-ids.ts';
import { textField } from './fields.ts';

/** What has a name of its own beside its id: endpoints their handles, events the ids that their senders gave them. */
export type NamedKind = 'endpoint' | 'event';

const LOOK_UPS = { endpoint: endpointsNamed, event: eventsNamed };
const EXAMPLES = { endpoint: 'warehouse', event: 'inv-2026-000123' };

/** An id or a name that is read, as it was sent; {@link resolveNames} says what it stands for. */
export function nameField(kind: NamedKind, description: string) {
  return textField(255, description, EXAMPLES[kind]);
}

/** The parameters of a path that ends in an id or a name. */
export function nameParams(kind: NamedKind, description: string) {
  return z.strictObject({ id: nameField(kind, description) });
}

/** What names of a tenant stand for, looked up at once. */
export async function resolveNames(
  db: Queryable,
  tenantId: string,
  kind: NamedKind,
  texts: readonly string[],
): Promise<NamedIds> {
  if (texts.length === 0) return new Map();
  const named = [...new Set(texts)].map((text) => {
    const id = readId(kind, text);
    return id === undefined ? { text } : { text, id };
  });
  return LOOK_UPS[kind](db, tenantId, named);
}

/** The ids that a list of names stands for, each once, or the places of those that stand for nothing. */
export async function idsOfNames(
  db: Queryable,
  tenantId: string,
  kind: NamedKind,
  texts: readonly string[],
): Promise<{ ids: string[] } | { unknown: number[] }> {
  const found = await resolveNames(db, tenantId, kind, texts);
  const unknown = texts.flatMap((text, index) => (found.has(text) ? [] : [index]));
  return unknown.length > 0
    ? { unknown }
    : { ids: [...new Set(texts.flatMap((text) => found.get(text) ?? []))] };
}

/** The problem for names that stand for nothing. */
export function unknownNames(places: readonly Pick<FieldError, 'pointer' | 'parameter'>[]): Problem {
  return problem('unknown_ids', {
    errors: places.map((place) => ({
      ...place,
      code: 'unknown',
      message: 'Nothing with this id or name belongs to the tenant.',
    })),
  });
}

/**
 * A filter with the ids of the endpoints that it names. A handle that is nobody's is refused, for it is a typing error;
 * what can be read as an id stays, and selects nothing where it is not the tenant's.
 */
export async function withNamedEndpoints<Filter extends { endpointIds?: string[] | undefined }>(
  db: Queryable,
  tenantId: string,
  filter: Filter,
  placeOf: (index: number) => Pick<FieldError, 'pointer' | 'parameter'>,
): Promise<Filter | Problem> {
  if (!filter.endpointIds) return filter;
  const found = await resolveNames(db, tenantId, 'endpoint', filter.endpointIds);
  const ids = filter.endpointIds.map((text) => found.get(text)?.[0] ?? readId('endpoint', text));
  const unknown = ids.flatMap((id, index) => (id === undefined ? [index] : []));
  if (unknown.length > 0) return unknownNames(unknown.map(placeOf));
  return { ...filter, endpointIds: [...new Set(ids)] };
}

/** More events than an explicit list may have. */
export function tooManyNamed(pointer: string): Problem {
  return problem('invalid_request', {
    errors: [
      {
        pointer,
        code: 'too_long',
        message: `These names stand for more than ${MAX_EXPLICIT_IDS} events: send them in several requests.`,
      },
    ],
  });
}

/** Lets routes whose path ends in an id of this kind take a name there; their handlers see the id. */
export function takeNames(db: Queryable, kind: NamedKind, routes: readonly Route[]): Route[] {
  return routes.map((each) => ({
    ...each,
    async handler(call) {
      const params = call.params as { id?: string } | undefined;
      if (params?.id === undefined || !call.tenant) return each.handler(call);
      const found = await resolveNames(db, call.tenant.id, kind, [params.id]);
      const id = found.get(params.id)?.[0];
      if (id === undefined) return problem('not_found');
      return each.handler({ ...call, params: { ...params, id } as unknown as typeof call.params });
    },
  }));
}
