import type { Id } from '../tenancy/typed-id.ts';

/** Somebody who asks for something, or approves it: a name and, where the credential is a key, that key. */
export interface Party {
  actor: string;
  keyId?: Id<'key'> | undefined;
}

/** Who approves, with everybody who had a hand in making the credential: who made it, and who made the maker's. */
export interface Approver extends Party {
  /** The credential names a person or a service: the subject of a token, or the actor that a key carries. */
  named: boolean;
  makers: readonly Party[];
}

/** Why somebody may not approve an operation. */
export type ApproverRefusal = 'no_actor' | 'own_request' | 'own_key' | 'made_by_requester';

/**
 * Decides whether somebody may approve what the requesters have asked for: whoever planned, started or executed it never
 * may, by whatever credential, nor anybody whose credential they have made. Scopes say nothing here: it holds for
 * administrators, too.
 */
export function refusedApprover(
  approver: Approver,
  requesters: readonly Party[],
): ApproverRefusal | undefined {
  if (!approver.named) return 'no_actor';
  if (requesters.some(({ actor }) => actor === approver.actor)) return 'own_request';
  if (requesters.some(({ keyId }) => keyId !== undefined && keyId === approver.keyId)) return 'own_key';
  return approver.makers.some((maker) => requesters.some((requester) => isSame(maker, requester)))
    ? 'made_by_requester'
    : undefined;
}

function isSame(one: Party, other: Party): boolean {
  return one.actor === other.actor || (one.keyId !== undefined && one.keyId === other.keyId);
}
