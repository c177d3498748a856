import { type Scope, TENANT_SCOPES } from '../../domain/tenancy/scope.ts';

/** The keys of the demo's tenant: of who recovers its deliveries, and of who approves that. */
export const DEMO_KEYS = {
  operator: { name: 'demo-operator', actor: 'demo-operator', scopes: TENANT_SCOPES },
  approver: { name: 'demo-approver', actor: 'demo-approver', scopes: TENANT_SCOPES.filter(readsOrApproves) },
} as const satisfies Record<string, { name: string; actor: string; scopes: readonly Scope[] }>;

/** One of {@link DEMO_KEYS}. */
export type DemoKey = keyof typeof DEMO_KEYS;

function readsOrApproves(scope: Scope): boolean {
  return /^(?:read|approve):/.test(scope);
}
