interface Link {
  number: number;
  prev: string;
  hash: string;
}

/** Whether entries, newest first, follow each other without a gap, each by the hash of the one before it. */
export function isLinked(entries: readonly Link[]): boolean {
  return entries.every((entry, at) => {
    const before = entries[at + 1];
    return before === undefined || (entry.number === before.number + 1 && entry.prev === before.hash);
  });
}
