/** The most bytes of a line: a payload of the most bytes, with escapes, and its envelope. */
export const MAX_LINE_BYTES = 4 * 1024 * 1024;

/** The most bytes that one import takes. */
export const MAX_IMPORT_BYTES = 16 * 1024 ** 3;

/** The most bytes that the imports of a tenant, opened within a day, have taken when another one is opened. */
export const MAX_DAY_BYTES = 64 * 1024 ** 3;

/**
 * The most attempts that a delivery has which are not Redrive's own: whoever shows it shows all of them, and whatever adds
 * to them looks at all of them.
 */
export const MAX_ATTEMPTS_OF_DELIVERY = 200;

/** The most names of endpoints in a mapping. */
export const MAX_TARGETS = 1_000;

/** An upload that nobody goes on with ends after this time. */
export const EXPIRES_AFTER_MS = 24 * 60 * 60 * 1_000;

/** So long the report of an import, line by line, is kept after its end. */
export const LINES_KEPT_DAYS = 30;
