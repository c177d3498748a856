import { type components, redriveClient } from '@redrive/client';

/** A shape of the API's document. */
export type Schema<Name extends keyof components['schemas']> = components['schemas'][Name];

let tenant: string | undefined;

/** Sets the tenant that an installation's session has chosen: it stands in the URL, and goes with each call. */
export function setTenant(chosen: string | undefined): void {
  tenant = chosen;
}

/** The tenant that was chosen; undefined where the session is of one. */
export function chosenTenant(): string | undefined {
  return tenant;
}

/** The console's client: the session is a cookie, and no key is ever here. */
export const client = redriveClient({
  // Other origins cannot send this header, so that a form elsewhere writes nothing.
  headers: { 'redrive-console': '1' },
  // Screens ask again by themselves, and say meanwhile what was refused.
  retries: 0,
  fetch(request) {
    if (tenant !== undefined) request.headers.set('redrive-tenant', tenant);
    return fetch(request);
  },
});

export const { calls } = client;
