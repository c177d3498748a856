/** The master keys of a process, by their check values: the one it seals with, and another one that it opens with. */
export interface KnownMasterKeys {
  present: string;
  other?: string | undefined;
}

/** The master keys of a database: the one that everything is sealed under, and the one that a rotation leads to. */
export interface DatabaseMasterKeys {
  sealedUnder: string;
  /** Absent where there never was a rotation; after one it is the same as the other. */
  rotatingTo?: string | undefined;
}

/**
 * Whether a process may work on a database: `rotates` where it leads it from the other key to its present one,
 * `unknown_key` where it could not open what is there, `rotation_unfinished` where another rotation has begun that it
 * knows nothing of.
 */
export function judgeMasterKeys(
  { present, other }: KnownMasterKeys,
  { sealedUnder, rotatingTo }: DatabaseMasterKeys,
): 'admitted' | 'rotates' | 'unknown_key' | 'rotation_unfinished' {
  const known = [present, other];
  if (!known.includes(sealedUnder)) return 'unknown_key';
  // Some of what is there is sealed under the key that it leads to.
  if (rotatingTo !== undefined && !known.includes(rotatingTo)) return 'rotation_unfinished';
  // Once it is done the other key may be the one before or the next one: nothing may be derived from it.
  return sealedUnder === present ? 'admitted' : 'rotates';
}
