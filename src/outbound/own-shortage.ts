import { networkInterfaces } from 'node:os';
import type { Shortage } from '../domain/sending/attempt-result.ts';

/** Codes of the system for what this process, or this machine, has no more of. */
const SHORTAGES: Readonly<Record<string, Shortage>> = {
  EMFILE: 'files',
  ENFILE: 'files',
  ENOBUFS: 'memory',
  ENOMEM: 'memory',
};

/** As far as causes and the errors of several addresses are followed. */
const DEPTH = 4;

/**
 * What we had no more of when a connection failed, where that was the reason; by codes, and never by what the other side
 * does. Of several addresses one that could not be tried is enough. EADDRNOTAVAIL says either that no port is left to go
 * there from, or that this machine has no address of that family at all: then it is the destination that is wrong here, as
 * any tenant could name one.
 */
export function shortageOf(error: unknown, depth = DEPTH): Shortage | undefined {
  if (typeof error !== 'object' || error === null || depth === 0) return undefined;
  const { code, address, errors, cause } = error as {
    code?: unknown;
    address?: unknown;
    errors?: unknown;
    cause?: unknown;
  };
  // The code of an error of several addresses is the first one's.
  if (Array.isArray(errors))
    return errors.map((each) => shortageOf(each, depth - 1)).find((each) => each !== undefined);
  const own = typeof code === 'string' ? SHORTAGES[code] : undefined;
  if (own !== undefined) return own;
  if (code === 'EADDRNOTAVAIL') return isOfOurFamilies(address) ? 'ports' : undefined;
  return shortageOf(cause, depth - 1);
}

function isOfOurFamilies(address: unknown): boolean {
  if (typeof address !== 'string') return false;
  const family = address.includes(':') ? 'IPv6' : 'IPv4';
  const isLoopback = address === '::1' || address.startsWith('127.');
  return (
    Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      // A link-local address is no source for anything beyond its link.
      .filter((own) => own.family === family && !own.address.startsWith('fe80:'))
      .some((own) => own.internal === isLoopback)
  );
}
