import dns from 'node:dns';
import { isIP } from 'node:net';
import { readUrl } from '../domain/endpoints/url.ts';
import { inNetworks, type Network, parseAddress, parseNetwork, rangeOf } from './address-range.ts';

/** Why a URL is refused; only `address_blocked` depends on `REDRIVE_ALLOWED_NETWORKS`. */
export type UrlRefusalCode = 'url_invalid' | 'url_scheme' | 'url_userinfo' | 'address_blocked';

/** A URL that may be used, parsed, or why not; `detail` is a sentence for the caller and repeats nothing secret. */
export type UrlCheck = { ok: true; url: URL } | { ok: false; code: UrlRefusalCode; detail: string };

/** An address that may be connected to, or the range that forbids it. */
type AddressCheck = { ok: true } | { ok: false; range: string };

type LookupAddress = { address: string; family: number };
type LookupCallback = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

/** The one form of `dns.lookup` that the guard uses; tests put their own answers here. */
export type Resolve = (hostname: string, options: { all: true }, callback: LookupCallback) => void;

/** Refuses destinations inside our own network (SSRF), at creation and at each connection. */
export type AddressGuard = {
  checkUrl(url: string): UrlCheck;
  checkAddress(ip: string): AddressCheck;
  resolveAndCheck(url: string): Promise<UrlCheck>;
  /** For `net.connect`: yields checked addresses only, so that the address connected to is one that was checked. */
  lookup(
    hostname: string,
    options: { all?: boolean | undefined; family?: number | string | undefined },
    callback: (
      error: NodeJS.ErrnoException | null,
      address: LookupAddress[] | string,
      family?: number,
    ) => void,
  ): void;
};

/** The error with which a connection to a forbidden address fails; `code` is `ERR_ADDRESS_BLOCKED`. */
export class AddressBlockedError extends Error {
  readonly code = 'ERR_ADDRESS_BLOCKED';
  constructor() {
    super('The destination address is not allowed.');
  }
}

/** Creation waits this long for a name; a slow resolver must not hold the request. The connection is checked anyway. */
const RESOLVE_TIME_LIMIT_MS = 2_000;

/** Names of this machine (RFC 6761): refused by name, whatever they resolve to, unless loopback is allowed. */
const LOOPBACK_NAME = /(?:^|\.)localhost$/;
/** Internal names of platforms and private networks (RFC 6762, 8375): refused unless some network is allowed. */
const PRIVATE_NAME = /(?:^|\.)(?:internal|local|localdomain|home\.arpa)$/;

/**
 * Makes a guard that refuses every address that is not public (private, loopback, link-local, metadata,
 * multicast, unspecified, carrier NAT, reserved, and IPv6 forms that embed such), save those in
 * `allowedNetworks` (CIDRs or bare addresses). Throws a `RangeError` that names a network it cannot parse.
 */
export function createAddressGuard(
  allowedNetworks: readonly string[],
  resolve: Resolve = dns.lookup as Resolve,
): AddressGuard {
  const allowed = allowedNetworks.map(requireNetwork);
  const loopbackAllowed = ['127.0.0.1', '::1'].some((ip) => checkAddress(ip).ok);
  const askedNames = new Map<string, LookupCallback[]>();

  function checkAddress(ip: string): AddressCheck {
    const address = parseAddress(ip);
    if (address === undefined) return { ok: false, range: 'invalid' };
    const range = rangeOf(address);
    return range === 'public' || inNetworks(address, allowed) ? { ok: true } : { ok: false, range };
  }

  function checkUrl(text: string): UrlCheck {
    // WHATWG parsing turns every spelling of an IPv4 host (2130706433, 0x7f.1, 0177.1, full-width digits, a trailing
    // dot) into dotted decimal, so that the literal is compared in the form that the socket would use.
    const url = readUrl(text);
    if (url === undefined) return refuse('url_invalid', 'The URL cannot be parsed.');
    if (url.protocol !== 'https:' && url.protocol !== 'http:') {
      return refuse('url_scheme', 'Only http and https URLs are delivered to.');
    }
    if (url.username !== '' || url.password !== '') {
      return refuse('url_userinfo', 'Credentials in the URL are not accepted; use a header.');
    }
    const host = hostOf(url);
    if (isIP(host) !== 0) {
      const check = checkAddress(host);
      return check.ok ? { ok: true, url } : refuseRange(check.range);
    }
    const refusedName =
      (LOOPBACK_NAME.test(host) && !loopbackAllowed) || (PRIVATE_NAME.test(host) && allowed.length === 0);
    return refusedName ? refuseRange('local name') : { ok: true, url };
  }

  /** One question per name at a time: `dns.lookup` holds a thread of four, and a slow name would starve all others. */
  function ask(hostname: string, callback: LookupCallback): void {
    const waiting = askedNames.get(hostname);
    if (waiting !== undefined) {
      waiting.push(callback);
      return;
    }
    const callbacks = [callback];
    askedNames.set(hostname, callbacks);
    resolve(hostname, { all: true }, (error, addresses) => {
      askedNames.delete(hostname);
      for (const each of callbacks) each(error, addresses);
    });
  }

  function permitted(hostname: string, callback: LookupCallback): void {
    ask(hostname, (error, addresses) => {
      if (error) return callback(error, []);
      const usable = addresses.filter(({ address }) => checkAddress(address).ok);
      callback(usable.length === 0 && addresses.length > 0 ? new AddressBlockedError() : null, usable);
    });
  }

  return {
    checkUrl,
    checkAddress,

    /**
     * For URLs that are configured: as `checkUrl`, in its plain spelling only. Refuses a name all of whose addresses
     * are forbidden; accepts one that is not resolved within 2 s.
     */
    async resolveAndCheck(text) {
      const check = checkUrl(text);
      if (check.ok && !isPlain(text, check.url))
        return refuse(
          'url_invalid',
          'Expected a URL such as https://example.com/hooks: a host behind `//`, no blank, no backslash, no port 0.',
        );
      if (!check.ok || isIP(hostOf(check.url)) !== 0) return check;
      const error = await resolutionError(hostOf(check.url), permitted);
      return error?.code === 'ERR_ADDRESS_BLOCKED' ? refuseRange('resolved address') : check;
    },

    lookup(hostname, options, callback) {
      permitted(hostname, (error, addresses) => {
        const wanted = options.family === 4 || options.family === 6 ? options.family : undefined;
        const usable = wanted === undefined ? addresses : addresses.filter(({ family }) => family === wanted);
        const [first] = usable;
        if (error || first === undefined) return callback(error ?? notFound(), [], 0);
        if (options.all) callback(null, usable);
        else callback(null, first.address, first.family);
      });
    },
  };
}

function requireNetwork(text: string): Network {
  const network = parseNetwork(text);
  if (network === undefined) throw new RangeError(`Not a network in CIDR notation: ${text}`);
  return network;
}

/**
 * Whether a URL is spelled as it is read. The WHATWG parser forgives missing slashes, backslashes and blanks, so that a
 * mistake would send a request to another host than the one that was meant.
 */
function isPlain(text: string, url: URL): boolean {
  return /^https?:\/\/[^/?#\\\s][^\\\s]*$/i.test(text) && url.port !== '0';
}

/** The host without the brackets of an IPv6 literal and without the root's dot, which names the same host. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
}

function refuse(code: UrlRefusalCode, detail: string): UrlCheck {
  return { ok: false, code, detail };
}

function refuseRange(range: string): UrlCheck {
  return refuse('address_blocked', `The host is not a public address (${range}).`);
}

function notFound(): NodeJS.ErrnoException {
  return Object.assign(new Error('The name has no address of the family asked for.'), { code: 'ENOTFOUND' });
}

/** Ends with the error of the lookup, or with undefined when it succeeded or took too long. */
function resolutionError(
  hostname: string,
  lookup: (hostname: string, callback: LookupCallback) => void,
): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((done) => {
    const timer = setTimeout(done, RESOLVE_TIME_LIMIT_MS, undefined);
    lookup(hostname, (error) => {
      clearTimeout(timer);
      done(error ?? undefined);
    });
  });
}
