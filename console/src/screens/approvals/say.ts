import { answerOf } from '@redrive/client';
import { calls, type Schema } from '../../api/client.ts';

/** What can be said to an operation that a policy holds. */
export type Saying = 'approve' | 'reject' | 'emergency' | 'explain';

/** The words with which it is said; empty where there are none. */
export interface Said {
  verb: Saying;
  text: string;
  ticket: string;
}

/** Says it; an approval is of the plan that was looked at, by its hash. */
export function say(
  id: string,
  planHash: string,
  { verb, text, ticket }: Said,
): Promise<Schema<'JudgedOperation'>> {
  const params = { path: { id } };
  switch (verb) {
    case 'approve':
      return answerOf(
        calls.POST('/api/v1/retries/{id}/approve', { params, body: { planHash, ...given('comment', text) } }),
      );
    case 'reject':
      return answerOf(calls.POST('/api/v1/retries/{id}/reject', { params, body: { comment: text } }));
    case 'emergency':
      return answerOf(calls.POST('/api/v1/retries/{id}/emergency', { params, body: { reason: text } }));
    case 'explain':
      return answerOf(
        calls.POST('/api/v1/retries/{id}/explain', {
          params,
          body: { ...given('reason', text), ...given('ticket', ticket) },
        }),
      );
  }
}

function given<Name extends string>(name: Name, text: string): Partial<Record<Name, string>> {
  return text === '' ? {} : ({ [name]: text } as Partial<Record<Name, string>>);
}
