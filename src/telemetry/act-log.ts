import type { Logger } from 'pino';
import type { ActBy } from '../domain/audit/audit-action.ts';

/** The part of an actor that is Redrive's own, or an id: the rest may be the name of a person. */
const NAMELESS = /^(?:key_[0-9a-z]+|jwt:iss_[0-9a-z]+|[a-z]+)/;

/** The actor without the words of a customer: a key, the issuer of a token, or the kind of credential. */
export function loggedActor(actor: string): string {
  return NAMELESS.exec(actor)?.[0] ?? 'unknown';
}

/** Writes the one line of an act: ids, counts and codes, never a customer's words. At `error` it waits for a human. */
export function logAct(
  log: Logger,
  event: string,
  { actor, requestId }: ActBy,
  fields: Record<string, unknown>,
  level: 'info' | 'error' = 'info',
): void {
  log[level]({ event, ...fields, by: loggedActor(actor), ...(requestId ? { requestId } : {}) });
}
