import type { OnAmbiguous, RetryPolicy } from '../sending/retry-policy.ts';

/** The policy and the wire format that a surface documents for the endpoints of its clients. */
export interface EndpointPreset {
  /** Everything else is as without a preset, and a setting that is asked for with it wins. */
  config: { retry?: RetryPolicy; onAmbiguous?: OnAmbiguous };
  /** Headers of each request, made of the delivery's id as it is shown. */
  headers?(deliveryId: string): Record<string, string>;
}

/** The presets that there are, each by the name of its surface. */
export type EndpointPresets = ReadonlyMap<string, EndpointPreset>;
