import type { Id, IdKind } from '../tenancy/typed-id.ts';

/**
 * The acts that are entered in the audit, each with the kind of thing that it is done to; a line in the log has the same
 * name.
 */
export const AUDIT_ACTIONS = {
  'tenant.made': 'tenant',
  'tenant.changed': 'tenant',
  'platform_limits.changed': 'tenant',
  'retention_floors.changed': 'tenant',
  'policy.changed': 'tenant',
  'key.made': 'key',
  'key.revoked': 'key',
  'jwt_issuer.made': 'jwtIssuer',
  'jwt_issuer.revoked': 'jwtIssuer',
  'session.opened': 'session',
  'session.ended': 'session',
  'signer.made': 'signer',
  'signer.removed': 'signer',
  'access_rule.made': 'accessRule',
  'access_rule.removed': 'accessRule',
  'endpoint.made': 'endpoint',
  'endpoint.changed': 'endpoint',
  'endpoint.enabled': 'endpoint',
  'endpoint.disabled': 'endpoint',
  'endpoint.secret_rotated': 'endpoint',
  'endpoint.deleted': 'endpoint',
  'endpoint.tested': 'delivery',
  'event.payload_erased': 'event',
  'event.repeated': 'event',
  'operation.planned': 'operation',
  'operation.executed': 'operation',
  'operation.accepted': 'operation',
  'operation.paused': 'operation',
  'operation.resumed': 'operation',
  'operation.paced': 'operation',
  'operation.cancelled': 'operation',
  'operation.explained': 'operation',
  'operation.approved': 'operation',
  'operation.rejected': 'operation',
  'operation.emergency': 'operation',
  'delivery.resolved': 'delivery',
  'resolution.begun': 'resolution',
  'deliveries.resolved': 'resolution',
  'report.signed': 'operation',
  'addendum.signed': 'operation',
  'signing_key.rotated': 'signingKey',
  'signing_key.revoked': 'signingKey',
  'receipt_replay.previewed': 'receiptReplay',
  'receipt_replay.confirmed': 'receiptReplay',
  'receipt_replay.executed': 'receiptReplay',
  'diagnostics.previewed': 'diagnostics',
  'diagnostics.frozen': 'diagnostics',
  'outage.dismissed': 'outage',
  'import.opened': 'import',
  'import.continued': 'import',
  'import.closed': 'import',
  'import.abandoned': 'import',
  'import.expired': 'import',
} as const satisfies Record<string, IdKind>;

/** One of {@link AUDIT_ACTIONS}. */
export type AuditAction = keyof typeof AUDIT_ACTIONS;

/** The kind of thing that an act is done to. */
export type TargetKind<Action extends AuditAction = AuditAction> = (typeof AUDIT_ACTIONS)[Action];

/** Who did something, and in which request. */
export interface ActBy {
  /** As credentials name it, such as `key_…` or `jwt:iss_…:<subject>`. */
  actor: string;
  /** Set where the credential is an API key. */
  keyId?: Id<'key'> | undefined;
  requestId?: string | undefined;
  /** The trace of that request, where it is sampled; no part of what is entered. */
  traceparent?: string | undefined;
}
