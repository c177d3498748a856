import { type Problem, problem } from '../problems/problem.ts';
import type { CredentialRequest } from '../surface.ts';

type Headers = Pick<CredentialRequest, 'header' | 'method'>;

/** The header that the console sends with each request: no other page can make a browser send it here. */
export const CONSOLE_HEADER = 'redrive-console';

/** Whether a method asks for nothing to be done. */
export function reads(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

/**
 * Whether a request that reads was made by the console: by its code, or by a link of a page of this origin that a human
 * followed, such as a download. The page of the documentation is of this origin, too, and its calls are neither.
 */
export function isRead({ header }: Headers): boolean {
  const followed = header('sec-fetch-mode') === 'navigate' && header('sec-fetch-site') === 'same-origin';
  return header(CONSOLE_HEADER) === '1' || followed;
}

/** Refuses a request that would do something, unless the console made it: a foreign page can make a browser send others. */
export function refusedWrite({ header }: Headers, origin: string): Problem | undefined {
  const refuse = (detail: string) => problem('cross_origin_refused', { detail });
  if (header(CONSOLE_HEADER) !== '1')
    return refuse('A request by a session needs the header `Redrive-Console: 1`.');
  if (header('origin') !== origin)
    return refuse(
      `The console is at ${origin}/console, and a session is good there only (REDRIVE_PUBLIC_URL says where that is).`,
    );
  const type = header('content-type');
  if (type !== undefined && !/^application\/json\s*(;|$)/i.test(type))
    return refuse('A request by a session has a JSON body, or none: send `Content-Type: application/json`.');
  return undefined;
}
