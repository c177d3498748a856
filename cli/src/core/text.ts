const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const FINE = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

/** A whole number with its thousands apart. */
export function whole(value: number): string {
  return WHOLE.format(value);
}

/** "1 delivery", "12 deliveries". */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${whole(value)} ${value === 1 ? one : many}`;
}

/** A share as a percentage; a part is never shown as nothing, nor as all. */
export function percent(part: number, all: number): string {
  if (all === 0) return '0 %';
  const share = (100 * part) / all;
  if (part > 0 && share < 0.1) return '< 0.1 %';
  if (part < all && share > 99.9) return '> 99.9 %';
  return `${FINE.format(share)} %`;
}

/** Requests per second. */
export function rate(perSecond: number | null): string {
  return perSecond === null ? '–' : `${FINE.format(perSecond)}/s`;
}

/**
 * Characters by which a text could move the cursor, colour the terminal, or read otherwise than it is written: controls,
 * marks of direction, and invisible ones. Names, keys and answers of others are shown here.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** A text as it can be written to a terminal: what is not to be seen is shown by its number. */
export function safe(text: string): string {
  return text.replace(UNSAFE, escaped);
}

/** The same within JSON, which stays the same JSON. */
export function safeJson(json: string): string {
  return json.replace(UNSAFE, (character) => (character === '\n' ? '\n' : escaped(character)));
}

function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, at) => {
    return `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
  }).join('');
}

/** How many columns a text takes; wide characters take two. */
export function width(text: string): number {
  let columns = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    if (/\p{Mn}|\p{Me}/u.test(character)) continue;
    columns += isWide(point) ? 2 : 1;
  }
  return columns;
}

function isWide(point: number): boolean {
  return (
    (point >= 0x1100 && point <= 0x115f) ||
    (point >= 0x2e80 && point <= 0xa4cf) ||
    (point >= 0xac00 && point <= 0xd7a3) ||
    (point >= 0xf900 && point <= 0xfaff) ||
    (point >= 0xfe30 && point <= 0xfe6f) ||
    (point >= 0xff00 && point <= 0xff60) ||
    (point >= 0x1f300 && point <= 0x1faff)
  );
}

/** As much of a text as so many columns take, with a mark where that is not all. */
export function clip(text: string, columns: number): string {
  if (width(text) <= columns) return text;
  let kept = '';
  for (const character of text) {
    if (width(kept) + width(character) > columns - 1) break;
    kept += character;
  }
  return columns < 1 ? '' : `${kept}…`;
}

/** An unknown value as one cell: nothing is a dash, an object is JSON. */
export function cell(value: unknown): string {
  if (value === null || value === undefined || value === '') return '–';
  if (typeof value === 'string') return safe(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value) && value.every((each) => typeof each !== 'object'))
    return value.length === 0 ? '–' : value.map((each) => safe(String(each))).join(', ');
  return safe(JSON.stringify(value));
}
