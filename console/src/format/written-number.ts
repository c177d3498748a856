/** What stands in a field for a number: the number, nothing, or why it cannot be taken for one. */
export interface WrittenNumber {
  value?: number;
  wrong?: string;
}

const PLAIN = /^\d*\.?\d+$/;
/** `0,500` could be a half: only a group that can begin a number has thousands behind it. */
const THOUSANDS = /^[1-9]\d{0,2}(,\d{3})+(\.\d+)?$/;

/** Reads a number as a person writes it; what can be read in two ways is taken in neither. */
export function writtenNumber(text: string): WrittenNumber {
  const written = text.trim();
  if (written === '') return {};
  if (PLAIN.test(written) || THOUSANDS.test(written)) {
    const value = Number(written.replaceAll(',', ''));
    return Number.isFinite(value) ? { value } : { wrong: `"${written}" is too large.` };
  }
  return /^\d+(,\d+)+$/.test(written)
    ? { wrong: `"${written}" is unclear: write 0.5 for a half and 1,000 or 1000 for a thousand.` }
    : { wrong: `"${written}" is no number: write only digits, such as 1000 or 0.5.` };
}

/** The same, where it has to be above nothing. */
export function writtenAboveZero(text: string): WrittenNumber {
  const written = writtenNumber(text);
  return written.value === 0 ? { wrong: 'Write a number above 0.' } : written;
}
