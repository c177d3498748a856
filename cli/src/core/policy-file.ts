type Members = Record<string, unknown>;

/**
 * The body of a policy that a file holds: its members, or what `policy get` wrote and somebody changed. The digest of the
 * latter goes with it, so that nothing is undone that was set since.
 */
export function policyIn(file: Members): Members {
  const { policy, digest } = file;
  if (typeof policy !== 'object' || policy === null) return file;
  return { ...(said(policy) as Members), ...(digest === undefined ? {} : { digest }) };
}

/** A value without the members that say nothing: what is shown as null is left out of what is sent. */
function said(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(said);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, each]) => (each === null ? [] : [[name, said(each)]])),
  );
}
