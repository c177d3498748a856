/** An id in little room: its kind and its end, which is what differs. */
export function shortId(id: string): string {
  const at = id.indexOf('_');
  const tail = id.slice(-8);
  return at > 0 && id.length > at + 12 ? `${id.slice(0, at)}_…${tail}` : id;
}

/** The start of a digest, by which people compare two of them. */
export function shortDigest(digest: string): string {
  return digest.slice(0, 12);
}

/** Whether an id is that of a plan. */
export function isPlanId(id: string): boolean {
  return id.startsWith('pln_');
}

/** The id of an operation: a plan and its operation are two spellings of one. */
export function operationId(id: string): string {
  return id.replace(/^pln_/, 'op_');
}

/** The same id, spelled as that of its plan. */
export function planId(id: string): string {
  return id.replace(/^op_/, 'pln_');
}
