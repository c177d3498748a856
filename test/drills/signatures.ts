import { verifyWebhook } from '../../clients/typescript/src/index.ts';
import type { ChaosReceiver } from '../chaos/chaos-receivers.ts';

/** The header of each endpoint, sealed as its secret is: the name of its receiver. */
export const NAME_HEADER = 'x-drill';

/** The endpoint of a receiver, with every secret that it has had. */
export interface DrillEndpoint {
  id: string;
  secrets: string[];
}

const SAID = 20;

/** Requests without the header of their endpoint, or signed by no secret of it, in words: what was sealed was lost. */
export function wronglySigned(
  receivers: readonly ChaosReceiver[],
  endpoints: ReadonlyMap<string, DrillEndpoint>,
): string[] {
  const faults: string[] = [];
  for (const { name, receiver } of receivers)
    for (const { id, headers, body, at } of receiver.requests) {
      if (headers[NAME_HEADER] !== name) faults.push(`${id} came to ${name} without its header`);
      try {
        verifyWebhook({ body, headers, secret: endpoints.get(name)?.secrets ?? [], now: at });
      } catch (error) {
        faults.push(`${id} came to ${name}: ${(error as Error).message}`);
      }
      if (faults.length >= SAID) return faults;
    }
  return faults;
}
