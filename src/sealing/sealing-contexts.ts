/** What a sealed signing secret is bound to: moved to another endpoint's row it does not open. */
export function endpointSecretContext(endpointId: string): string {
  return `endpoint-secret:${endpointId}`;
}

/** What sealed custom headers are bound to. */
export function endpointHeadersContext(endpointId: string): string {
  return `endpoint-headers:${endpointId}`;
}

/** What the sealed secret of an issuer of tokens is bound to. */
export function jwtIssuerSecretContext(issuerId: string): string {
  return `jwt-issuer-secret:${issuerId}`;
}
