import { type FieldError, type Problem, problem } from '../problems/problem.ts';

/** Parameters by name: a text, or an array of them where a name is repeated. */
export type RawQuery = Record<string, string | string[]>;

/**
 * Reads the query of a URL, which must be UTF-8 like a body: a part that cannot be decoded would stand for another
 * text.
 */
export function readQuery(url: string): { query: RawQuery } | { refused: Problem } {
  const start = url.indexOf('?');
  const query: RawQuery = Object.create(null);
  if (start === -1) return { query };
  const search = url.slice(start + 1);
  const unreadable = search.split('&').find((parameter) => decoded(parameter) === undefined);
  if (unreadable !== undefined)
    return { refused: problem('invalid_request', { errors: [faultOf(unreadable)] }) };
  const parameters = new URLSearchParams(search);
  for (const name of new Set(parameters.keys())) {
    const values = parameters.getAll(name);
    query[name] = values.length === 1 ? (values[0] as string) : values;
  }
  return { query };
}

function faultOf(parameter: string): FieldError {
  const name = decoded(parameter.split('=')[0] ?? '') ?? '';
  return {
    parameter: name.slice(0, 200),
    code: 'wrong_format',
    message: 'Expected UTF-8 in percent-encoding; a percent sign itself is %25.',
  };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
