import type { Acts } from '../../api/log-acts.ts';

/** The changes, by route: each leaves one line in the log. Operations, resolutions and events say more themselves. */
export const ACTS: Acts = {
  'post /api/v1/tenants': { event: 'tenant.made', of: 'tenant' },
  'patch /api/v1/tenants/{id}': { event: 'tenant.changed', of: 'tenant' },
  'post /api/v1/keys': { event: 'key.made', of: 'key' },
  'delete /api/v1/keys/{id}': { event: 'key.revoked', of: 'key' },
  'post /api/v1/jwt-issuers': { event: 'jwt_issuer.made', of: 'jwtIssuer' },
  'delete /api/v1/jwt-issuers/{id}': { event: 'jwt_issuer.revoked', of: 'jwtIssuer' },
  'post /api/v1/endpoints': { event: 'endpoint.made', of: 'endpoint' },
  'patch /api/v1/endpoints/{id}': { event: 'endpoint.changed', of: 'endpoint' },
  'post /api/v1/endpoints/{id}/enable': { event: 'endpoint.enabled', of: 'endpoint' },
  'post /api/v1/endpoints/{id}/disable': { event: 'endpoint.disabled', of: 'endpoint' },
  'post /api/v1/endpoints/{id}/rotate-secret': { event: 'endpoint.secret_rotated', of: 'endpoint' },
  'delete /api/v1/endpoints/{id}': { event: 'endpoint.deleted', of: 'endpoint' },
  'post /api/v1/signing-keys/rotate': { event: 'signing_key.rotated', of: 'signingKey' },
  'post /api/v1/signing-keys/{id}/revoke': { event: 'signing_key.revoked', of: 'signingKey' },
  'delete /api/v1/events/{id}/payload': { event: 'event.payload_erased', of: 'event' },
};
