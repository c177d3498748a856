let tenant: string | undefined;

/** Sets the tenant that an installation's session has chosen: it stands in the URL, and goes with each call. */
export function setTenant(chosen: string | undefined): void {
  tenant = chosen;
}

/** The tenant that was chosen; undefined where the session is of one. */
export function chosenTenant(): string | undefined {
  return tenant;
}
