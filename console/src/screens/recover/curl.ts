/** A text as one word of a POSIX shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The call as a curl command line; the key stays in the environment. */
export function curlFor(origin: string, method: string, path: string, body?: object): string {
  return [
    `curl -X ${method} ${quoted(`${origin}${path}`)}`,
    '-H "authorization: Bearer $REDRIVE_KEY"',
    ...(body === undefined
      ? []
      : ["-H 'content-type: application/json'", `-d ${quoted(JSON.stringify(body))}`]),
  ].join(' \\\n  ');
}
