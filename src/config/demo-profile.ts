import ipaddr from 'ipaddr.js';
import { isLoopback } from './loopback.ts';

/** The roles of a process of Redrive: one half of the service, both with all they need, or the change of the schema. */
export const ROLES = ['api', 'worker', 'all', 'migrate'] as const;

/** One of {@link ROLES}. */
export type Role = (typeof ROLES)[number];

const LOOPBACK = ['127.0.0.0/8', '::1/128'];

/**
 * The networks that deliveries may reach although they are private. In the demo profile it is this machine itself,
 * where the demo's receivers are, unless somebody has said otherwise. It is a profile for one's own machine: the role
 * `all`, with the demo, listening on loopback only. An API that others can reach must never let them post to services
 * that listen here.
 */
export function allowedNetworks(
  configured: readonly string[],
  { demo, host }: { demo: boolean; host: string },
): readonly string[] {
  return configured.length === 0 && demo && isLoopback(host) ? LOOPBACK : configured;
}

/** Whether 127.0.0.1, where the demo's receivers are, is within one of the networks. */
export function reachesLoopback(networks: readonly string[]): boolean {
  const address = ipaddr.parse('127.0.0.1');
  return networks
    .map((network) => ipaddr.parseCIDR(network))
    .some(([base, bits]) => {
      return base.kind() === address.kind() && address.match(base, bits);
    });
}
