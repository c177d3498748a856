/** The scopes of API keys; `admin` belongs to keys of the whole installation and includes all others. */
export const SCOPES = [
  'admin',
  'write:keys',
  'read:endpoints',
  'write:endpoints',
  'write:events',
  'read:deliveries',
  'write:deliveries',
  'edit:endpoints',
  'rotate:secrets',
  'delete:endpoints',
  'replay:receipts',
  'write:diagnostics',
  'recover:plans',
  'read:audit',
  'approve:retries',
  'approve:emergency',
  'write:imports',
] as const;

/** One of {@link SCOPES}. */
export type Scope = (typeof SCOPES)[number];

/** The scopes that a key of one tenant can ask for; the narrower ones come with a grant. */
export const TENANT_SCOPES = [
  'write:keys',
  'read:endpoints',
  'write:endpoints',
  'write:events',
  'read:deliveries',
  'write:deliveries',
  'read:audit',
  'approve:retries',
  'approve:emergency',
  'write:imports',
] as const satisfies readonly Scope[];

/** The scopes that are a part of another one, with that one. */
const PART_OF: Partial<Record<Scope, Scope>> = {
  'edit:endpoints': 'write:endpoints',
  'rotate:secrets': 'write:endpoints',
  'delete:endpoints': 'write:endpoints',
  'replay:receipts': 'write:deliveries',
  'write:diagnostics': 'write:deliveries',
  'recover:plans': 'write:deliveries',
};

/** Whether a key with `granted` may do what `needed` names. */
export function hasScope(granted: readonly string[], needed: Scope): boolean {
  const whole = PART_OF[needed];
  return (
    granted.includes(needed) || granted.includes('admin') || (whole !== undefined && granted.includes(whole))
  );
}

/** The scopes that both of two grants allow; a part is not named together with its whole. */
export function commonScopes(one: readonly string[], other: readonly string[]): Scope[] {
  const common = SCOPES.filter((scope) => hasScope(one, scope) && hasScope(other, scope));
  return common.filter((scope) => !common.some((whole) => PART_OF[scope] === whole));
}
