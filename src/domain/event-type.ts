/** Whether an endpoint that names `patterns` wants events of `type`: exactly, or by a prefix such as `invoice.*`. */
export function matchesType(patterns: readonly string[] | undefined, type: string): boolean {
  if (patterns === undefined) return true;
  return patterns.some((pattern) =>
    pattern.endsWith('.*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type,
  );
}
