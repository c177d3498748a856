/**
 * The states of an import: it takes lines while it is `open`, and ends once: `closed` by whoever has sent all of it,
 * `abandoned` by who will not, `expired` where nobody has gone on. What it took stays in any case.
 */
export const IMPORT_STATES = ['open', 'closed', 'abandoned', 'expired'] as const;

/** One of {@link IMPORT_STATES}. */
export type ImportState = (typeof IMPORT_STATES)[number];
