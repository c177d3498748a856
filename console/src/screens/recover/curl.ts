/** A text as one word of a POSIX shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The call as a curl command line; the key stays in the environment. */
export function curlFor(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): string {
  const all = Object.entries({
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...headers,
  });
  return [
    `curl -X ${method} ${quoted(`${location.origin}${path}`)}`,
    '-H "authorization: Bearer $REDRIVE_KEY"',
    ...all.map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    ...(body === undefined ? [] : [`-d ${quoted(JSON.stringify(body))}`]),
  ].join(' \\\n  ');
}
