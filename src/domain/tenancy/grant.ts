import type { Scope } from './scope.ts';

/** The authority that a key can be made with, each with all of the one before. */
export const GRANTS = ['observer', 'operator', 'recovery_operator', 'admin'] as const;

/** One of {@link GRANTS}. */
export type Grant = (typeof GRANTS)[number];

const OBSERVER = ['read:deliveries', 'read:endpoints'] as const satisfies readonly Scope[];
// An endpoint is tested by sending it an event.
const OPERATOR = [...OBSERVER, 'edit:endpoints', 'write:events'] as const satisfies readonly Scope[];
// Not `write:deliveries`: its bulk retries know neither preview nor confirmation, which plans are.
const RECOVERY_OPERATOR = [
  ...OPERATOR,
  'replay:receipts',
  'write:diagnostics',
  'rotate:secrets',
  'recover:plans',
] as const satisfies readonly Scope[];

/** The scopes of each grant. None has `write:keys`: no grant makes keys, and so none raises itself. */
export const GRANT_SCOPES: Record<Grant, readonly Scope[]> = {
  observer: OBSERVER,
  operator: OPERATOR,
  recovery_operator: RECOVERY_OPERATOR,
  admin: [...RECOVERY_OPERATOR, 'delete:endpoints'],
};
