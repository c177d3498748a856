import type { Grant } from '../../domain/tenancy/grant.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';

/** The tenant that a call is about. */
export interface TenantRef {
  id: Id<'tenant'>;
  handle: string;
}

/** Who is calling. */
export interface Caller {
  /** Stable name of who it is, such as `key_…` or `jwt:iss_…:<sub>`: for quotas, audit and what is bound to its actor. */
  actor: string;
  /** The request that it came with. */
  requestId?: string;
  /** Where the credential is an API key. */
  keyId?: Id<'key'>;
  scopes: readonly string[];
  /** Where the key was made with one: it reads no bodies, and no surface takes it that does not say so. */
  grant?: Grant;
  /** The tenant the credential belongs to; one of the installation has none. */
  tenant?: TenantRef;
}

/** A caller and the tenant the call is about. */
export interface Authenticated {
  caller: Caller;
  tenant?: TenantRef;
}
