import { hasScope, type Scope } from '../../../domain/tenancy/scope.ts';
import {
  ACCESS_ACTIONS,
  type AccessAction,
  type AccessRule,
  isOpenTo,
  matches,
  type NamedSigner,
} from '../access-rule.ts';

/** The scope by which a key may do the same in the native API. */
const SCOPE_OF: Readonly<Record<AccessAction, Scope>> = {
  'retry-event': 'write:deliveries',
  'query-event': 'read:deliveries',
  read: 'read:endpoints',
};

/** The first scope that rules would grant and their maker lacks; undefined where there is none. */
export function lackedScope(rules: readonly AccessRule[], granted: readonly string[]): Scope | undefined {
  return ACCESS_ACTIONS.filter((action) => rules.some((rule) => matches(rule.action, [action])))
    .map((action) => SCOPE_OF[action])
    .find((scope) => !hasScope(granted, scope));
}

/** The same of what a signer would be granted by rules that are there before it: whoever registers it gives that on. */
export function scopeLackedFor(
  signer: NamedSigner,
  rules: readonly AccessRule[],
  granted: readonly string[],
): Scope | undefined {
  return lackedScope(
    rules.filter((rule) => isOpenTo(rule, signer)),
    granted,
  );
}
