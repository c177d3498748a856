import type { FaultCode } from '../domain/sending/fault-code.ts';

/** The progress of a request when it failed. */
export type Progress = {
  /** The bytes may have left. */
  started: boolean;
  /** The first byte of an answer was read. */
  answerBegan: boolean;
  /** Its socket had carried another request before it. */
  socketWasUsed: boolean;
};

const BY_CODE: Readonly<Record<string, FaultCode>> = {
  ERR_ADDRESS_BLOCKED: 'address_blocked',
  ERR_EGRESS_PROXY: 'proxy_failed',
  ERR_PROXY_NO_CONNECTION: 'connection_failed',
  ERR_PROXY_TIMEOUT: 'connect_timeout',
  ECONNREFUSED: 'connection_refused',
  ECONNRESET: 'connection_reset',
  EPIPE: 'connection_reset',
  UND_ERR_CONNECT_TIMEOUT: 'connect_timeout',
  UND_ERR_HEADERS_OVERFLOW: 'invalid_response',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'invalid_response',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'invalid_response',
  UND_ERR_INVALID_ARG: 'invalid_request',
  UND_ERR_NOT_SUPPORTED: 'invalid_request',
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: 'invalid_request',
  ENOTFOUND: 'dns_failure',
  ENODATA: 'dns_failure',
  ESERVFAIL: 'dns_failure',
  EPROTO: 'tls_failure',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls_failure',
  SELF_SIGNED_CERT_IN_CHAIN: 'tls_failure',
  HOSTNAME_MISMATCH: 'tls_failure',
  INVALID_CA: 'tls_failure',
  INVALID_PURPOSE: 'tls_failure',
  PATH_LENGTH_EXCEEDED: 'tls_failure',
};

/** The families of codes by Node's resolver, Node's TLS and OpenSSL's verification. */
const BY_PREFIX: readonly (readonly [string, FaultCode])[] = [
  ['EAI_', 'dns_failure'],
  ['ERR_TLS_', 'tls_failure'],
  ['ERR_SSL_', 'tls_failure'],
  ['CERT_', 'tls_failure'],
  ['CRL_', 'tls_failure'],
  ['ERROR_IN_C', 'tls_failure'],
  ['UNABLE_TO_', 'tls_failure'],
];

/**
 * The fault that an error of the connection stands for, by its `code` and by how far the request had come; never by its
 * message. An unknown error is `connection_failed` before the request left and `connection_reset` after.
 */
export function faultOf(
  error: unknown,
  { started, answerBegan }: Pick<Progress, 'started' | 'answerBegan'>,
): FaultCode {
  const code = codeOf(error);
  // ETIMEDOUT is the kernel giving up: on the handshake, or on bytes that it had accepted and that were never
  // acknowledged.
  if (code === 'ETIMEDOUT') return started ? 'timeout' : 'connect_timeout';
  // undici leaves the `code` undefined for most answers that its parser refuses; the class is as stable as a code.
  if (error instanceof Error && error.name === 'HTTPParserError') return 'invalid_response';
  // The connection ended within the header of an answer: undici has one code for that and for no answer at all.
  if (code === 'UND_ERR_SOCKET' && answerBegan) return 'invalid_response';
  return (
    BY_CODE[code] ??
    BY_PREFIX.find(([prefix]) => code.startsWith(prefix))?.[1] ??
    (started ? 'connection_reset' : 'connection_failed')
  );
}

/**
 * The alerts by which a server refuses our certificate (RFC 8446 section 4.4.2.4). In TLS 1.3 they come when the client is
 * done with its handshake and has written its request already, which the server then never reads.
 */
const OUR_CERTIFICATE =
  /^ERR_SSL_.*_ALERT_(?:CERTIFICATE_(?:REQUIRED|REVOKED|EXPIRED|UNKNOWN)|(?:BAD|UNSUPPORTED)_CERTIFICATE|UNKNOWN_CA)$/;

/**
 * Whether an error says that the request was not read, although its bytes may have left: never behind the beginning of an
 * answer, nor on a socket whose server has taken our certificate for an earlier request.
 */
export function isCertainlyUnread(
  error: unknown,
  { answerBegan, socketWasUsed }: Pick<Progress, 'answerBegan' | 'socketWasUsed'>,
): boolean {
  return !answerBegan && !socketWasUsed && OUR_CERTIFICATE.test(codeOf(error));
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : '';
}
