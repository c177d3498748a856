import type { Grant } from '../../domain/tenancy/grant.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';

/** The tenant that a call is about. */
export interface TenantRef {
  id: Id<'tenant'>;
  handle: string;
}

/** Who is calling. */
export interface Caller {
  /**
   * Stable name of the caller, such as `key_…`, `actor:<name>` of a key that stands for somebody, or `jwt:iss_…:<sub>`:
   * for quotas, audit and records that are bound to their actor.
   */
  actor: string;
  /** The request that it came with. */
  requestId?: string;
  /** Set where the credential is an API key. */
  keyId?: Id<'key'>;
  scopes: readonly string[];
  /** Set where the key was made with a grant: it reads no bodies, and only surfaces that say so take it. */
  grant?: Grant;
  /** The tenant the credential belongs to; one of the installation has none. */
  tenant?: TenantRef;
}

/** A caller and the tenant the call is about. */
export interface Authenticated {
  caller: Caller;
  tenant?: TenantRef;
}
