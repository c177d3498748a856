import { FORMATS } from '../../domain/imports/formats/formats.ts';
import type {
  ImportFormat,
  ImportRecord,
  LineRefusal,
  ReadingContext,
} from '../../domain/imports/import-record.ts';
import type { RefusalReason } from '../../domain/imports/line-words.ts';
import { isObject } from '../../domain/imports/member-reader.ts';
import { MAX_JSON_DEPTH, tooDeepAt } from '../../domain/json/json-depth.ts';
import { MAX_JSON_MEMBERS } from '../../domain/json/json-members.ts';
import type { SplitLine } from './line-splitter.ts';

/** A shorter line cannot have too many members. */
const COUNTED_FROM = 2 * MAX_JSON_MEMBERS;

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const BYTE_ORDER_MARK = '\uFEFF';
const BLANK = /^[ \t]*$/;

/** Reads a line by its format; `blank` where there is nothing in it. */
export function readLine(
  bytes: SplitLine,
  { first, format, context }: { first: boolean; format: ImportFormat; context: ReadingContext },
): ImportRecord | 'blank' {
  if (bytes === 'too_long') return refused('line_too_long');
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    return refused('not_utf8');
  }
  if (first && text.startsWith(BYTE_ORDER_MARK)) text = text.slice(1);
  if (BLANK.test(text)) return 'blank';
  if (tooDeepAt(text, MAX_JSON_DEPTH) !== undefined) return refused('nested_too_deep');
  if (text.length > COUNTED_FROM && hasTooManyMembers(text)) return refused('too_many_members');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused('not_json');
  }
  if (!isObject(value)) return refused('not_an_object');
  return FORMATS[format].read({ value, text: text.trim() }, context);
}

/** Counts commas and opening brackets outside of strings; the text need not be JSON. */
function hasTooManyMembers(text: string): boolean {
  let members = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x5c && quoted) at += 1;
    else if (code === 0x22) quoted = !quoted;
    else if (!quoted && (code === 0x2c || code === 0x5b || code === 0x7b)) members += 1;
    if (members > MAX_JSON_MEMBERS) return true;
  }
  return false;
}

function refused(reason: RefusalReason): LineRefusal {
  return { kind: 'refused', reason };
}
