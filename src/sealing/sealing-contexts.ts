/** The context of a sealed signing secret: moved to another endpoint's row, the secret does not open. */
export function endpointSecretContext(endpointId: string): string {
  return `endpoint-secret:${endpointId}`;
}

/** The context of sealed custom headers. */
export function endpointHeadersContext(endpointId: string): string {
  return `endpoint-headers:${endpointId}`;
}

/** The context of the sealed private key of the certificate that an endpoint is shown. */
export function endpointClientKeyContext(endpointId: string): string {
  return `endpoint-client-key:${endpointId}`;
}

/** The context of the sealed secret of an issuer of tokens. */
export function jwtIssuerSecretContext(issuerId: string): string {
  return `jwt-issuer-secret:${issuerId}`;
}

/** The context of a sealed key for one purpose that outlives the master key it was derived from. */
export function keptKeyContext(purpose: string): string {
  return `kept-key:${purpose}`;
}

/** The context of the sealed private key that reports are signed with. */
export function signingKeyContext(keyId: string): string {
  return `signing-key:${keyId}`;
}
