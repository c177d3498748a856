import type { ServerResponse } from 'node:http';

/** Sources by directive of a content security policy. */
export type Policy = Readonly<Record<string, readonly string[]>>;

/** What a page may do that is no page: nothing. */
export const NO_PAGE: Policy = {
  'default-src': ["'none'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
};

/** Sets the content security policy of an answer, in the place of an earlier one. */
export function setPolicy(res: ServerResponse, policy: Policy): void {
  const directives = Object.entries(policy).map(([name, sources]) => [name, ...sources].join(' '));
  res.setHeader('content-security-policy', directives.join('; '));
}
