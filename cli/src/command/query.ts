/** Parameters as the end of an address: a list is a repeated parameter. */
export function queryString(parameters: Readonly<Record<string, unknown>>): string {
  const search = new URLSearchParams();
  for (const [name, said] of Object.entries(parameters))
    for (const each of Array.isArray(said) ? said : [said]) search.append(name, String(each));
  return search.size === 0 ? '' : `?${search}`;
}
