type Lacking<Members> = {
  [Name in keyof Members]-?: null extends Members[Name]
    ? Name
    : undefined extends Members[Name]
      ? Name
      : never;
}[keyof Members];

/** The members of an object, those that may be null or undefined as ones that may be absent. */
export type Present<Members> = {
  [Name in Exclude<keyof Members, Lacking<Members>>]: Members[Name];
} & { [Name in Lacking<Members>]?: NonNullable<Members[Name]> };

/** Leaves out the members of an object that are null or undefined. */
export function present<Members extends object>(members: Members): Present<Members> {
  const found: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(members))
    if (value !== null && value !== undefined) found[name] = value;
  return found as Present<Members>;
}
