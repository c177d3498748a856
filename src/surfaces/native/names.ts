import { z } from 'zod';
import { type FieldError, MAX_ERRORS, type Problem, problem } from '../../api/problems/problem.ts';
import type { Route } from '../../api/route.ts';
import { MAX_EXPLICIT_IDS } from '../../domain/operations/selection.ts';
import { type Id, readId, showId } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../../store/db/queryable.ts';
import {
  endpointsNamed,
  eventsNamed,
  type Named,
  type NamedIds,
  type NamedKind,
} from '../../store/reading/named-ids.ts';
import { textField } from './fields.ts';

const LOOK_UPS: {
  [Kind in NamedKind]: (
    db: Queryable,
    tenantId: Id<'tenant'>,
    names: Named<Kind>[],
  ) => Promise<NamedIds<Kind>>;
} = { endpoint: endpointsNamed, event: eventsNamed };
/** So many are named where a name stands for several. */
const MAX_NAMED = 5;
const EXAMPLES = { endpoint: 'warehouse', event: 'inv-2026-000123' };

/** An id or a name that is read, as it was sent; {@link resolveNames} says what it stands for. */
export function nameField(kind: NamedKind, description: string) {
  return textField(255, description, EXAMPLES[kind]);
}

/** The parameters of a path that ends in an id or a name; handlers see the id, which {@link takeNames} puts there. */
export function nameParams<Kind extends NamedKind>(kind: Kind, description: string) {
  const id: z.ZodType<string, string> = nameField(kind, description);
  return z.strictObject({ id: id as z.ZodType<Id<Kind>, string> });
}

/** Looks up the ids that names of a tenant stand for, all at once. */
export async function resolveNames<Kind extends NamedKind>(
  db: Queryable,
  tenantId: Id<'tenant'>,
  kind: Kind,
  texts: readonly string[],
): Promise<NamedIds<Kind>> {
  if (texts.length === 0) return new Map();
  const named = [...new Set(texts)].map((text): Named<Kind> => {
    const id = readId(kind, text);
    return id === undefined ? { text } : { text, id };
  });
  return LOOK_UPS[kind](db, tenantId, named);
}

/** The ids that a list of names stands for, each once, or the places of those that stand for nothing. */
export async function idsOfNames<Kind extends NamedKind>(
  db: Queryable,
  tenantId: Id<'tenant'>,
  kind: Kind,
  texts: readonly string[],
): Promise<{ ids: Id<Kind>[] } | { unknown: number[] }> {
  const found = await resolveNames(db, tenantId, kind, texts);
  const unknown = texts.flatMap((text, index) => (found.has(text) ? [] : [index]));
  return unknown.length > 0
    ? { unknown }
    : { ids: [...new Set(texts.flatMap((text) => found.get(text) ?? []))] };
}

/** The problem for names that stand for nothing. */
export function unknownNames(places: readonly Pick<FieldError, 'pointer' | 'parameter'>[]): Problem {
  return problem('unknown_ids', {
    ...(places.length > MAX_ERRORS
      ? {
          detail: `Nothing was done: ${places.length} ids name nothing of the tenant; \`errors\` names the first ${MAX_ERRORS}.`,
        }
      : {}),
    errors: places.map((place) => ({
      ...place,
      code: 'unknown',
      message: 'Nothing with this id or name belongs to the tenant.',
    })),
  });
}

/** A filter with ids in the place of the names of endpoints. */
export type WithIds<Filter> = Omit<Filter, 'endpointIds'> & { endpointIds?: Id<'endpoint'>[] };

/**
 * A filter with the ids of the endpoints that it names. A handle that is nobody's is refused, for it is a typing error;
 * a text that can be read as an id stays: a route that starts something refuses it where it is not the tenant's, and a
 * list has nothing.
 */
export async function withNamedEndpoints<Filter extends { endpointIds?: string[] | undefined }>(
  db: Queryable,
  tenantId: Id<'tenant'>,
  filter: Filter,
  placeOf: (index: number) => Pick<FieldError, 'pointer' | 'parameter'>,
): Promise<WithIds<Filter> | Problem> {
  const { endpointIds, ...others } = filter;
  if (!endpointIds) return others;
  const found = await resolveNames(db, tenantId, 'endpoint', endpointIds);
  const ids = endpointIds.map((text) => found.get(text)?.[0] ?? readId('endpoint', text));
  const unknown = ids.flatMap((id, index) => (id === undefined ? [index] : []));
  if (unknown.length > 0) return unknownNames(unknown.map(placeOf));
  return { ...others, endpointIds: [...new Set(ids.filter((id) => id !== undefined))] };
}

/** A name stands for several, of which one is meant. */
function ambiguous<Kind extends NamedKind>(kind: Kind, ids: readonly Id<Kind>[]): Problem {
  const shown = ids.slice(0, MAX_NAMED).map((id) => showId(kind, id));
  return problem('state_conflict', {
    detail: `This name stands for ${ids.length} ${kind}s: send the id of the one that you mean, such as ${shown.join(', ')}.`,
  });
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

/**
 * Lets routes whose path has an id of this kind take a name there; their handlers see the id. Of several the first is
 * shown; nothing is done to one of them by a name that may mean another.
 */
export function takeNames(db: Queryable, kind: NamedKind, routes: readonly Route[]): Route[] {
  return routes.map((each) => ({
    ...each,
    async handler(call) {
      const params = call.params as { id?: string } | undefined;
      if (params?.id === undefined || !call.tenant) return each.handler(call);
      const found = await resolveNames(db, call.tenant.id, kind, [params.id]);
      const [id, ...others] = found.get(params.id) ?? [];
      if (id === undefined) return problem('not_found');
      if (others.length > 0 && each.method !== 'get') return ambiguous(kind, [id, ...others]);
      return each.handler({ ...call, params: { ...params, id } as unknown as typeof call.params });
    },
  }));
}
