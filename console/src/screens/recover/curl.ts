import { chosenTenant } from '../../api/tenant.ts';

/** A text as one word of a POSIX shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The call as a curl command line; the key stays in the environment, and a key of the installation says which tenant. */
export function curlFor(origin: string, method: string, path: string, body?: object): string {
  const tenant = chosenTenant();
  return [
    `curl -X ${method} ${quoted(`${origin}${path}`)}`,
    '-H "authorization: Bearer $REDRIVE_KEY"',
    ...(tenant === undefined ? [] : [`-H ${quoted(`redrive-tenant: ${tenant}`)}`]),
    ...(body === undefined
      ? []
      : ["-H 'content-type: application/json'", `-d ${quoted(JSON.stringify(body))}`]),
  ].join(' \\\n  ');
}
