/** What an API key may do; `admin` belongs to keys of the whole installation and includes all others. */
export const SCOPES = [
  'admin',
  'write:keys',
  'read:endpoints',
  'write:endpoints',
  'write:events',
  'read:deliveries',
  'write:deliveries',
] as const;

/** One of {@link SCOPES}. */
export type Scope = (typeof SCOPES)[number];

/** The scopes that a key of one tenant can have. */
export const TENANT_SCOPES = [
  'write:keys',
  'read:endpoints',
  'write:endpoints',
  'write:events',
  'read:deliveries',
  'write:deliveries',
] as const satisfies readonly Scope[];

/** Whether a key with `granted` may do what `needed` names. */
export function hasScope(granted: readonly string[], needed: Scope): boolean {
  return granted.includes(needed) || granted.includes('admin');
}

/** What both of two grants allow. */
export function commonScopes(one: readonly string[], other: readonly string[]): Scope[] {
  return SCOPES.filter((scope) => hasScope(one, scope) && hasScope(other, scope));
}
