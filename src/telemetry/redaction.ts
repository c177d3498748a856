/** Stands in the place of something that may not be logged. */
const REDACTED = '[redacted]';

/** Keys whose values never reach a log line, compared in lower case without separators. */
const SECRET_KEYS = new Set([
  'authorization',
  'proxyauthorization',
  'body',
  'cookie',
  'setcookie',
  'credential',
  'credentials',
  'data',
  'excerpt',
  'headers',
  'rawheaders',
  'jwt',
  'key',
  'parameters',
  'params',
  'password',
  'payload',
  'plaintext',
  'privatekey',
  'query',
  'secret',
  'secrets',
  'sealed',
  'signature',
  'signatures',
  'token',
  'url',
  'values',
]);

/** Compound names such as `masterKey`, `x-api-key`, `signingSecret`, `webhook-signature`, `databaseUrl`. */
const SECRET_ENDING =
  /(?:apikey|adminkey|masterkey|signingkey|secret|password|signature|token|payload|headers|url|body)$/;

/** Secrets that give themselves away in free text: ours by their prefixes, bearer credentials, signatures, userinfo. */
const SECRET_TEXT =
  /whsec_[\w+/=-]+|rdk_[\w-]+|\bBearer [\w.~+/=-]+|\beyJ[\w-]+\.[\w-]+\.[\w-]*|\bv1a?,[\w+/=]{40,}|(?<=:\/\/)[^\s/@"]+@/g;

/** Ids and plain values are the common case; deeper than this is no log line of ours. */
const MAX_DEPTH = 6;
const MAX_ITEMS = 50;

/**
 * A copy of the fields to be logged without the values of secret keys, at any depth; errors lose their message (that of
 * Postgres can carry a row), cycles and bytes are cut.
 */
export function redactFields(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return describeError(value);
  if (value instanceof Date) return value;
  if (ArrayBuffer.isView(value) || depth >= MAX_DEPTH) return REDACTED;
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => redactFields(item, depth + 1));
  const copy: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    copy[name] = isSecretKey(name) ? REDACTED : redactFields(field, depth + 1);
  }
  return copy;
}

/** The text without the secrets that can be told by their form. */
export function redactText(text: string): string {
  return text.replace(SECRET_TEXT, REDACTED);
}

/** The class of an error, its code and where it was thrown; never its message or Postgres' details. */
function describeError(error: Error): Record<string, unknown> {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return {
    type: error.name,
    ...(code === undefined ? {} : { code }),
    // Frames only: the head of a stack repeats the message, which may have several lines.
    stack: (error.stack ?? '').match(/^ {4}at .*$/gm)?.slice(0, 12) ?? [],
    ...(error.cause instanceof Error ? { cause: describeError(error.cause) } : {}),
  };
}

function isSecretKey(name: string): boolean {
  const known = verdicts.get(name);
  if (known !== undefined) return known;
  const plain = name.toLowerCase().replace(/[^a-z0-9]/g, '');
  const verdict = SECRET_KEYS.has(plain) || SECRET_ENDING.test(plain);
  if (verdicts.size < 5_000) verdicts.set(name, verdict);
  return verdict;
}

/** Log lines have few different keys: each is looked at once. */
const verdicts = new Map<string, boolean>();
