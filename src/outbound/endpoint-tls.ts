import { createHash } from 'node:crypto';

/** The TLS of one endpoint where it is not the usual one. Its sockets are shared with nobody that has another. */
export interface EndpointTls {
  /** Tells one from another: two that are alike have the same. */
  id: string;
  /** PEM of the authorities that its certificate must be from, in the place of the public ones. */
  ca?: string;
  /** PEM of the certificate, with those between it and its authority, that is shown where it asks. */
  cert?: string;
  key?: string;
}

/** The TLS of an endpoint; undefined where it is the usual one. */
export function endpointTls(parts: { ca?: string; cert?: string; key?: string }): EndpointTls | undefined {
  if (parts.ca === undefined && parts.cert === undefined) return undefined;
  const id = createHash('sha256')
    .update(JSON.stringify([parts.ca ?? null, parts.cert ?? null, parts.key ?? null]))
    .digest('base64');
  return { id, ...parts };
}
