import type { Acts } from '../../api/log-acts.ts';

/** The changes, by route: each leaves one line in the log. Operations, resolutions and events say more themselves. */
export const ACTS: Acts = {
  'post /api/v1/tenants': 'tenant.made',
  'patch /api/v1/tenants/{id}': 'tenant.changed',
  'put /api/v1/platform/limits': 'platform_limits.changed',
  'put /api/v1/policy': 'policy.changed',
  'put /api/v1/platform/policy': 'policy.changed',
  'post /api/v1/keys': 'key.made',
  'delete /api/v1/keys/{id}': 'key.revoked',
  'post /api/v1/jwt-issuers': 'jwt_issuer.made',
  'delete /api/v1/jwt-issuers/{id}': 'jwt_issuer.revoked',
  'post /api/v1/endpoints': 'endpoint.made',
  'patch /api/v1/endpoints/{id}': 'endpoint.changed',
  'post /api/v1/endpoints/{id}/test': 'endpoint.tested',
  'post /api/v1/endpoints/{id}/enable': 'endpoint.enabled',
  'post /api/v1/endpoints/{id}/disable': 'endpoint.disabled',
  'post /api/v1/endpoints/{id}/rotate-secret': 'endpoint.secret_rotated',
  'delete /api/v1/endpoints/{id}': 'endpoint.deleted',
  'post /api/v1/signing-keys/rotate': 'signing_key.rotated',
  'post /api/v1/signing-keys/{id}/revoke': 'signing_key.revoked',
  'delete /api/v1/events/{id}/payload': 'event.payload_erased',
  'post /api/v1/outages/{id}/dismiss': 'outage.dismissed',
  'put /api/v1/imports/{id}/lines': 'import.continued',
  'post /api/v1/imports/{id}/close': 'import.closed',
  'post /api/v1/imports/{id}/abandon': 'import.abandoned',
  'post /api/v1/imports': 'import.opened',
};
