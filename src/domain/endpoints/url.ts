/**
 * A URL as the WHATWG standard reads it, undefined where it is none. Not by `URL.canParse`: that of Node 20 refuses each
 * URL with a Latin-1 letter (`https://hücks.example`) once V8 has compiled its caller.
 */
export function readUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** Scheme, host and port of a URL; a text that is no URL is an origin of its own. */
export function originOf(url: string): string {
  return readUrl(url)?.origin ?? url;
}

/** A URL without the parts that may hold a credential: userinfo, query and fragment; empty where it is none. */
export function publicUrl(url: string): string {
  const read = readUrl(url);
  return read ? `${read.origin}${read.pathname}` : '';
}
