type Json = { [name: string]: unknown };
type Kind = 'parameters' | 'headers' | 'responses';
type OpenApi = { paths: Record<string, Record<string, Json>>; components?: Record<string, Json> };

/** A value with so many uses is written once and referred to. */
const WORTH_SHARING = 2;

/**
 * Moves parameters, headers and refusals that several operations share to the components of a document, under a name
 * that follows from their content; so a change of one is one line, and a difference can be read.
 */
export function shareComponents(document: Json): Json {
  const { paths, components = {} } = document as OpenApi;
  const operations = Object.values(paths).flatMap((path) => Object.values(path));
  const responses = operations.flatMap((operation) => Object.entries(operation.responses as Json));
  const shared: Record<Kind, Json> = {
    headers: share(
      'headers',
      responses.flatMap(([, response]) => places((response as Json).headers as Json | undefined)),
      ({ name }) => [pascal(name)],
    ),
    parameters: share(
      'parameters',
      operations.flatMap(({ parameters = [] }) =>
        places(parameters as unknown as Json).filter(({ value }) => (value as Json).in !== 'path'),
      ),
      ({ value }) => [pascal(String((value as Json).name))],
    ),
    responses: share(
      'responses',
      operations.flatMap((operation) =>
        places(operation.responses as Json).filter(({ name }) => Number(name) >= 400),
      ),
      ({ name, value }) => {
        const refusal = REFUSALS[Number(name)] ?? `Status${name}`;
        return [refusal, `${refusal}${firstWords(value as Json)}`];
      },
    ),
  };
  return { ...document, components: { ...components, ...withoutEmpty(shared) } };
}

/** Where a value stands, so that a reference can take its place. */
type Place = { holder: Json; name: string; value: unknown };

function places(holder: Json | undefined): Place[] {
  return Object.entries(holder ?? {}).map(([name, value]) => ({ holder: holder as Json, name, value }));
}

/**
 * Replaces values that stand in several places by references. The commonest value gets the first name; one that finds
 * no name free stays in place.
 */
function share(kind: Kind, all: Place[], namesOf: (place: Place) => string[]): Json {
  const groups = new Map<string, Place[]>();
  for (const place of all) {
    const text = JSON.stringify(place.value);
    groups.set(text, [...(groups.get(text) ?? []), place]);
  }
  const shared: Json = {};
  for (const group of [...groups.values()].sort((a, b) => b.length - a.length)) {
    const [first] = group;
    if (first === undefined || group.length < WORTH_SHARING) continue;
    const name = namesOf(first).find((each) => !(each in shared));
    if (name === undefined) continue;
    shared[name] = first.value;
    for (const { holder, name: at } of group) holder[at] = { $ref: `#/components/${kind}/${name}` };
  }
  return Object.fromEntries(Object.entries(shared).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const REFUSALS: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Gone',
  412: 'PreconditionFailed',
  413: 'TooLarge',
  415: 'UnsupportedMediaType',
  422: 'Unprocessable',
  429: 'TooManyRequests',
  500: 'Failed',
  503: 'Unavailable',
};

/** Tells apart refusals of one status by the first words of their description. */
function firstWords({ description }: Json): string {
  return pascal(String(description).split(/\s+/).slice(0, 4).join(' '));
}

function pascal(words: string): string {
  return words
    .split(/[^A-Za-z0-9]+/)
    .filter(Boolean)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}

function withoutEmpty(shared: Record<Kind, Json>): Partial<Record<Kind, Json>> {
  return Object.fromEntries(Object.entries(shared).filter(([, values]) => Object.keys(values).length > 0));
}
