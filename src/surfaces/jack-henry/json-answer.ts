import type { Reply } from '../../api/reply.ts';

/** A 200 with its type as the document writes it: without parameters. */
export function jsonAnswer(body: object): Reply {
  return { status: 200, text: JSON.stringify(body), contentType: 'application/json' };
}
