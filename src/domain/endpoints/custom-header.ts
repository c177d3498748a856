/** How many custom headers an endpoint can have, and how long they can be. */
export const HEADER_LIMITS = { count: 32, nameLength: 100, valueLength: 4_096 } as const;

const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
/** Visible ASCII with spaces and tabs within (RFC 9110, field-value without obs-text). */
const VALUE = /^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/;

/** Headers that we set ourselves, or that would change how the message is framed or who it seems to come from. */
const RESERVED = new Set([
  'accept-encoding',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'date',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
]);
const RESERVED_PREFIXES = ['webhook-', 'redrive-', 'proxy-'];

/** Why a custom header is refused. */
export interface HeaderFault {
  name: string;
  code: 'wrong_type' | 'wrong_format' | 'not_allowed' | 'too_long' | 'duplicate';
  message: string;
}

/** Everything that is wrong with custom headers; empty where they are a map of names to values that may be sent. */
export function headerFaults(headers: unknown): HeaderFault[] {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers))
    return [{ name: '', code: 'wrong_type', message: 'Expected an object of values by name.' }];
  const entries = Object.entries(headers);
  if (entries.length > HEADER_LIMITS.count)
    return [{ name: '', code: 'too_long', message: `At most ${HEADER_LIMITS.count} headers.` }];
  const seen = new Set<string>();
  return entries.flatMap(([name, value]) => {
    const repeated = seen.has(name.toLowerCase());
    seen.add(name.toLowerCase());
    if (repeated) return { name, code: 'duplicate' as const, message: 'This header is given twice.' };
    return faultOf(name, value) ?? [];
  });
}

function faultOf(name: string, value: unknown): HeaderFault | undefined {
  const lower = name.toLowerCase();
  if (!TOKEN.test(name)) return { name, code: 'wrong_format', message: 'This is no header name.' };
  if (name.length > HEADER_LIMITS.nameLength)
    return { name, code: 'too_long', message: `A name has at most ${HEADER_LIMITS.nameLength} characters.` };
  if (RESERVED.has(lower) || RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix)))
    return { name, code: 'not_allowed', message: 'Redrive sets this header itself.' };
  if (typeof value !== 'string') return { name, code: 'wrong_type', message: 'Expected a string.' };
  if (value.length > HEADER_LIMITS.valueLength)
    return {
      name,
      code: 'too_long',
      message: `A value has at most ${HEADER_LIMITS.valueLength} characters.`,
    };
  return VALUE.test(value)
    ? undefined
    : { name, code: 'wrong_format', message: 'Expected visible ASCII characters.' };
}
