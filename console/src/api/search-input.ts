/** The parameters of a URL as they were written. */
export type SearchInput = Record<string, unknown>;

/** A parameter that stands once. */
export function inputText(value: unknown): string | undefined {
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return typeof first === 'string' && first !== '' ? first : undefined;
}

/** A parameter that can be repeated. */
export function inputList(value: unknown): string[] | undefined {
  const all = (Array.isArray(value) ? value : [value]).filter(
    (each): each is string => typeof each === 'string' && each !== '',
  );
  return all.length > 0 ? all : undefined;
}

/** A parameter that can be repeated, of which each is one of these; what is none of them is left out. */
export function inputSome<Known extends string>(
  value: unknown,
  known: readonly Known[],
): Known[] | undefined {
  const some = known.filter((each) => inputList(value)?.includes(each));
  return some.length > 0 ? some : undefined;
}

/** Reads the parameters of a URL: each a text, or texts where it is repeated. */
export function readSearch(text: string): SearchInput {
  const found: SearchInput = {};
  for (const [name, value] of new URLSearchParams(text)) {
    const before = found[name];
    found[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  return found;
}

/** Writes them, so that people can read and change the URL. */
export function writeSearch(search: SearchInput): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(search))
    for (const each of Array.isArray(value) ? value : [value])
      if (each !== undefined && each !== null && each !== '') parameters.append(name, String(each));
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}
