import ipaddr from 'ipaddr.js';

/** A parsed CIDR block. */
export type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** RFC 6052 well-known prefix, in the answers of DNS64 on IPv6-only networks; the last 32 bits are the IPv4 target. */
const NAT64_WELL_KNOWN = ipaddr.IPv6.parseCIDR('64:ff9b::/96');
/** RFC 4291: all global unicast IPv6 there is; an address outside it (`::a.b.c.d` included) is never a destination. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');
/** The platform service of Azure, a metadata address that looks public. */
const AZURE_PLATFORM = '168.63.129.16';

/** Parses `10.0.0.0/8`, `fd00::/8` or one bare address; undefined when it is neither. */
export function parseNetwork(text: string): Network | undefined {
  try {
    if (text.includes('/')) return ipaddr.parseCIDR(text);
    const address = ipaddr.parse(text);
    return [address, address.kind() === 'ipv4' ? 32 : 128];
  } catch {
    return undefined;
  }
}

/**
 * The address that connecting to `ip` reaches: itself, or the IPv4 address that a mapped (RFC 4291) or NAT64
 * (RFC 6052) one stands for. Undefined when `ip` is not the text of an address.
 */
export function parseAddress(ip: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (!ipaddr.isValid(ip)) return undefined;
  const address = ipaddr.parse(ip);
  if (address.kind() === 'ipv4') return address;
  const v6 = address as ipaddr.IPv6;
  if (v6.isIPv4MappedAddress()) return v6.toIPv4Address();
  return v6.match(NAT64_WELL_KNOWN) ? new ipaddr.IPv4(v6.toByteArray().slice(12)) : v6;
}

/**
 * `public`, or the name of the special range of an address as `parseAddress` returns it (IANA registries). 6to4,
 * Teredo, ISATAP and the local NAT64 prefix are refused whole: they can carry a private IPv4 address, and nothing
 * public is reached by them only.
 */
export function rangeOf(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  if (address.kind() === 'ipv4') {
    if (address.toString() === AZURE_PLATFORM) return 'metadata';
    const range = (address as ipaddr.IPv4).range();
    return range === 'unicast' ? 'public' : range;
  }
  const v6 = address as ipaddr.IPv6;
  const range = v6.range();
  if (range !== 'unicast') return range;
  if (!v6.match(GLOBAL_UNICAST)) return 'reserved';
  return isIsatap(v6) ? 'isatap' : 'public';
}

/** Whether one of the networks holds the address; families never match each other. */
export function inNetworks(address: ipaddr.IPv4 | ipaddr.IPv6, networks: readonly Network[]): boolean {
  return networks.some((network) => network[0].kind() === address.kind() && address.match(network));
}

/** RFC 5214 section 6.1: the interface id is 0000:5efe or 0200:5efe followed by an IPv4 address. */
function isIsatap(address: ipaddr.IPv6): boolean {
  const [, , , , high = 0, low] = address.parts;
  return (high & ~0x0200) === 0 && low === 0x5efe;
}
