import type { Entry, Send } from './asked.ts';
import { FLOWRELAY, flowRelay } from './flowrelay-requests.ts';
import { JACK_HENRY, JACK_HENRY_ENTRIES } from './jack-henry-requests.ts';
import { MINKA } from './minka-requests.ts';
import { controls, NATIVE, planRequests } from './native-requests.ts';
import { stedi } from './stedi-requests.ts';
import { ZEN_MESH } from './zen-mesh-requests.ts';

/** Every route that starts work, steers it or changes what it meets, with valid requests; `send` sends earlier ones. */
export function startingRequests(send: Send): Record<string, Entry> {
  return {
    ...NATIVE,
    ...controls(send),
    ...planRequests(send),
    ...ZEN_MESH,
    ...MINKA,
    ...JACK_HENRY_ENTRIES,
    ...stedi(''),
    ...stedi('/2023-08-01'),
    ...flowRelay(send),
  };
}

/** Routes that are posted to and start nothing: they make a credential, a name, a search or a record, or end one. */
export const STARTS_NOTHING = [
  '/console/session',
  '/api/v1/tenants',
  '/api/v1/keys',
  '/api/v1/jwt-issuers',
  '/api/v1/signing-keys/rotate',
  '/api/v1/signing-keys/{id}/revoke',
  '/api/v1/signers',
  '/api/v1/access-rules',
  '/api/v1/imports',
  '/api/v1/imports/{id}/close',
  '/api/v1/imports/{id}/abandon',
  '/api/v1/outages/{id}/dismiss',
  '/api/v1/endpoints',
  // New events go there alone, and what it answers is that of a receiver.
  '/api/v1/listeners',
  '/api/v1/listeners/{id}/answers',
  // What they are said to waits for them; there is no policy here.
  '/api/v1/retries/{id}/approve',
  '/api/v1/retries/{id}/reject',
  '/api/v1/retries/{id}/emergency',
  '/api/v1/retries/{id}/explain',
  `${JACK_HENRY}/{institutionId}/subscriptions`,
  `${JACK_HENRY}/{institutionId}/events/{subscriptionId}/search`,
  `${FLOWRELAY}/receipts/{id}/diagnostics/preview`,
  `${FLOWRELAY}/diagnostics/{id}/freeze`,
];
