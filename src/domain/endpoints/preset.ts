import type { EndpointConfig } from './endpoint.ts';

/** The policies that surfaces document for the endpoints of their clients. */
export const ENDPOINT_PRESETS = ['zen-mesh', 'minka', 'stedi', 'flowrelay'] as const;

/** One of {@link ENDPOINT_PRESETS}. */
export type EndpointPreset = (typeof ENDPOINT_PRESETS)[number];

const HOUR_MS = 3_600_000;

/** What a preset sets; everything else is as without one, and what is asked for beside it wins. */
export const PRESET_CONFIG: Record<EndpointPreset, Partial<Pick<EndpointConfig, 'retry' | 'onAmbiguous'>>> = {
  // guides/traffic-lifecycle: exponential, 5 attempts, 1 s to 60 s; four waits reach the cap by a factor of 4.
  'zen-mesh': { retry: { maxAttempts: 5, initialMs: 1_000, factor: 4, capMs: 60_000 } },
  // bridge-error-handling: 1 s, times 1.2 each, at most 1 h, at most 5 attempts.
  minka: { retry: { maxAttempts: 5, initialMs: 1_000, factor: 1.2, capMs: HOUR_MS } },
  // Automatic delivery: 3 attempts, every 6 minutes.
  stedi: { retry: { maxAttempts: 3, initialMs: 360_000, factor: 1, capMs: 360_000 } },
  // Processing that may have started is never sent again by itself.
  flowrelay: { onAmbiguous: 'hold' },
};
