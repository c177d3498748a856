import { valueAtPath } from '../endpoints/event-filter.ts';
import type { AttemptResult } from './attempt-result.ts';

/** How an endpoint is asked about the fate of a delivery. */
export interface ProbeRequest {
  /** Where to ask, with `{deliveryId}` in the place of the delivery's id. */
  urlTemplate: string;
  /** Path in the answer of the member that is true where the delivery was processed. */
  processedField: string;
}

/** The verdict of an endpoint on a delivery. */
export type ProbeVerdict = 'processed' | 'not_processed' | 'inconclusive';

const PLACE = '{deliveryId}';

/** Whether a template has the place of the delivery's id where it is sent: a fragment never is. */
export function namesDelivery(urlTemplate: string): boolean {
  return urlTemplate.split('#')[0]?.includes(PLACE) ?? false;
}

/** The address that is asked about a delivery. */
export function probeUrl({ urlTemplate }: ProbeRequest, deliveryId: string): string {
  return urlTemplate.replaceAll(PLACE, encodeURIComponent(deliveryId));
}

/** The verdict of an answer to a status request: 404 is "not received", 2xx says it by its member, all else nothing. */
export function judgeProbe(result: AttemptResult, { processedField }: ProbeRequest): ProbeVerdict {
  if (result.kind !== 'answered') return 'inconclusive';
  if (result.status === 404) return 'not_processed';
  if (result.status < 200 || result.status > 299) return 'inconclusive';
  const processed = valueAtPath(parsed(result.excerpt), processedField);
  if (processed === true) return 'processed';
  return processed === false ? 'not_processed' : 'inconclusive';
}

/** How long to wait for the next status request after so many: 1 s, doubling, at most a minute. */
export function probeDelayMs(probes: number): number {
  return Math.min(60_000, 1_000 * 2 ** Math.min(probes, 6));
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
