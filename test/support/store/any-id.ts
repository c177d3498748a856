import type { Id } from '../../../src/domain/tenancy/typed-id.ts';

/** An id that a test makes up, of whatever kind is asked for. */
export function anyId(text: string): Id<never> {
  return text as Id<never>;
}

/** Stands where an id is missing; it is nobody's. */
export const NO_ID = anyId('');
