import type { EndpointConfig } from './endpoint.ts';

type Order = Pick<EndpointConfig, 'ordered' | 'onExhausted'>;

/** Whether deliveries that waited for their order may go by a change of their endpoint. */
export function letsMoreGo(before: Order, now: Order): boolean {
  return before.ordered && (!now.ordered || (before.onExhausted === 'block' && now.onExhausted === 'skip'));
}
