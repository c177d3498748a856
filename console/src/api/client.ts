import { type components, redriveClient } from '@redrive/client';
import { chosenTenant } from './tenant.ts';

/** A shape of the API's document. */
export type Schema<Name extends keyof components['schemas']> = components['schemas'][Name];

/** The console's client: the session is a cookie, and no key is ever here. */
export const client = redriveClient({
  // Other origins cannot send this header, so that a form elsewhere writes nothing.
  headers: { 'redrive-console': '1' },
  // Screens ask again by themselves, and say meanwhile what was refused.
  retries: 0,
  fetch(request) {
    const tenant = chosenTenant();
    if (tenant !== undefined) request.headers.set('redrive-tenant', tenant);
    return fetch(request);
  },
});

/** The calls of the API, by method and path. */
export const { calls } = client;
