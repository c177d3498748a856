import { isConnectionGone, isWithoutConnection } from '../domain/words-of-pg.ts';

/** The status codes of gRPC by their numbers, from 0. */
const GRPC_STATUSES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

/** The code of an error, or its class: no more of it may be told, for a message can carry a row. */
export function errorCode(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  if (typeof code === 'string' && /^[A-Za-z0-9_]{1,40}$/.test(code)) return code;
  if (isWithoutConnection(error)) return 'no_connection';
  if (isConnectionGone(error)) return 'connection_lost';
  // Temporal's own error says nothing but that it is one: what went wrong is the status of its cause.
  return grpcStatus(error) ?? grpcStatus(cause) ?? (error instanceof Error ? error.name : 'unknown_error');
}

function grpcStatus(error: unknown): string | undefined {
  const { code, details, metadata } = (error ?? {}) as Record<string, unknown>;
  if (typeof code !== 'number' || typeof details !== 'string' || metadata === undefined) return undefined;
  return GRPC_STATUSES[code];
}
