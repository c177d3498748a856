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
