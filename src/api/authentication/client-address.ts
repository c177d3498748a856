import ipaddr from 'ipaddr.js';

/** Reads the address that a request comes from, by its peer and the header `X-Forwarded-For`. */
export type ClientAddress = (peer: string | undefined, forwardedFor: string | undefined) => string;

/** Of a longer list only the last hops are read: anybody may have written those before them. */
const MAX_HOPS = 20;

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/**
 * The address behind proxies of one's own, given as CIDRs. A trusted proxy appends the address of its peer, so the last
 * address that is not a proxy's is the client's. From any other peer the header is not read, for anybody can send it.
 * An IPv6 client is its /64, the network that one machine is given.
 */
export function clientAddress(trustedProxies: readonly string[]): ClientAddress {
  const networks = trustedProxies.map((network) => ipaddr.parseCIDR(network));
  const isTrusted = (address: Address) =>
    networks.some(([base, bits]) => base.kind() === address.kind() && address.match(base, bits));

  return (peer, forwardedFor) => {
    let client = parsed(peer ?? '');
    if (client === undefined) return 'unknown';
    const hops = (forwardedFor ?? '').split(',').slice(-MAX_HOPS);
    while (isTrusted(client)) {
      const before = parsed(withoutPort(hops.pop()?.trim() ?? ''));
      if (before === undefined) break;
      client = before;
    }
    return shown(client);
  };
}

function parsed(text: string): Address | undefined {
  return ipaddr.isValid(text) ? ipaddr.process(text) : undefined;
}

/** Some proxies write `192.0.2.1:4711` or `[2001:db8::1]:4711`. */
function withoutPort(hop: string): string {
  return /^\[(.+)\](?::\d+)?$/.exec(hop)?.[1] ?? /^(\d+(?:\.\d+){3}):\d+$/.exec(hop)?.[1] ?? hop;
}

function shown(address: Address): string {
  if (address.kind() === 'ipv4') return address.toString();
  const network = (address as ipaddr.IPv6).parts.slice(0, 4);
  return `${network.map((part) => part.toString(16)).join(':')}::/64`;
}
