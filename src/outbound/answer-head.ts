/** How much of one field is kept; the rest of a longer line is read and forgotten. */
const MAX_LINE_CHARS = 4_096;
/** The most fields of one name that are kept. */
const MAX_VALUES = 16;

/** Only the fields that decide where an answer ends, whether its connection stays, and how long it asks for a pause. */
const KEPT = ['connection', 'keep-alive', 'content-length', 'transfer-encoding', 'retry-after'] as const;
type Kept = (typeof KEPT)[number];
type Fields = Map<Kept, string[]>;

const PROTOCOL = 'HTTP/1.';
const STATUS_LINE = /^HTTP\/1\.\d[ \t]+([1-9]\d\d)(?:[ \t].*)?$/i;
/** Passed on as soon as an answer begins, so that its reader knows that it has begun. */
const BEGINNING = Buffer.from('HTTP/1.1 ');
/** No parser accepts this after the beginning. */
const UNREADABLE = Buffer.from('\0\r\n\r\n');
const NOTHING = Buffer.alloc(0);
const LF = 0x0a;

/**
 * Reads the heads of answers and passes each on in one plain form, because the parser behind it is stricter than HTTP
 * is: interim answers are left out, whether they were asked for or not (RFC 9110 section 15.2), and the final one keeps
 * only the fields that the exchange needs, with one unmistakable length. Lenient where RFC 9112 lets a recipient be:
 * bare line feeds (2.2), blank lines before the status, a missing reason (4), folded lines and blanks before a colon
 * (5), lengths that are repeated, and codings in any case (6). Lines that are not fields are passed over. An answer
 * that is not HTTP, or has a head without end, is passed on as one that cannot be read.
 */
export class AnswerHead {
  readonly #maxBytes: number;
  /** `body` is handed on as it is, until the next request. */
  #state: 'status' | 'fields' | 'body' | 'unreadable' = 'body';
  #begun = false;
  #bytes = 0;
  #line = '';
  #status = 0;
  #minor = 1;
  #fields: Fields = new Map();
  /** The field that a folded line goes on with; absent behind one that is not kept. */
  #open: string[] | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** A request is being written: the bytes that come in next are the head of its answer. */
  expect(): void {
    this.#state = 'status';
    this.#begun = false;
    this.#bytes = 0;
    this.#line = '';
  }

  /** The bytes that the parser is to see for these; of a head at most its beginning, until the whole of it is there. */
  take(chunk: Buffer): Buffer {
    if (this.#isInBody()) return chunk;
    const told: Buffer[] = [];
    let at = 0;
    while (at < chunk.length && this.#readsHead()) {
      const end = chunk.indexOf(LF, at);
      const upTo = end === -1 ? chunk.length : end;
      this.#bytes += upTo - at + 1;
      if (this.#line.length < MAX_LINE_CHARS)
        this.#line += chunk.toString('latin1', at, Math.min(upTo, at + MAX_LINE_CHARS - this.#line.length));
      at = upTo + 1;
      if (!this.#begun && this.#line.trim() !== '') {
        this.#begun = true;
        told.push(BEGINNING);
      }
      if (this.#bytes > this.#maxBytes || (this.#state === 'status' && !mayBeStatus(this.#line)))
        told.push(this.#giveUp());
      else if (end !== -1) told.push(this.#endOfLine());
    }
    if (this.#isInBody() && at < chunk.length) told.push(chunk.subarray(at));
    return told.length === 1 ? (told[0] as Buffer) : Buffer.concat(told);
  }

  #isInBody(): boolean {
    return this.#state === 'body';
  }

  #readsHead(): boolean {
    return this.#state === 'status' || this.#state === 'fields';
  }

  #giveUp(): Buffer {
    this.#state = 'unreadable';
    return UNREADABLE;
  }

  #endOfLine(): Buffer {
    const line = this.#line.endsWith('\r') ? this.#line.slice(0, -1) : this.#line;
    this.#line = '';
    if (this.#state === 'status') return line.trim() === '' ? NOTHING : this.#statusLine(line);
    if (line !== '') {
      this.#field(line);
      return NOTHING;
    }
    if (this.#status < 200) {
      this.#state = 'status';
      return NOTHING;
    }
    this.#state = 'body';
    return Buffer.from(plainHead(this.#status, this.#minor, this.#fields), 'latin1');
  }

  #statusLine(line: string): Buffer {
    const status = STATUS_LINE.exec(line.trimEnd())?.[1];
    if (status === undefined) return this.#giveUp();
    this.#status = Number(status);
    this.#minor = line[PROTOCOL.length] === '0' ? 0 : 1;
    this.#fields = new Map();
    this.#open = undefined;
    this.#state = 'fields';
    return NOTHING;
  }

  #field(line: string): void {
    if (line[0] === ' ' || line[0] === '\t') {
      if (this.#open) this.#open.push(`${this.#open.pop()} ${line.trim()}`.slice(0, MAX_LINE_CHARS));
      return;
    }
    this.#open = undefined;
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).trim().toLowerCase() as Kept;
    if (!KEPT.includes(name)) return;
    const values = this.#fields.get(name) ?? [];
    if (values.length >= MAX_VALUES) return;
    values.push(line.slice(colon + 1).trim());
    this.#fields.set(name, values);
    this.#open = values;
  }
}

/** Whether the beginning of a first line may become a status line. */
function mayBeStatus(line: string): boolean {
  const start = line.slice(0, PROTOCOL.length).toUpperCase();
  return start.trim() === '' || PROTOCOL.startsWith(start);
}

/** The rest of a head behind {@link BEGINNING}. */
function plainHead(status: number, minor: number, fields: Fields): string {
  const { length, keeps } = framingOf(status, minor, fields);
  const timeout = /timeout\s*=\s*"?(\d{1,6})/i.exec((fields.get('keep-alive') ?? []).join())?.[1];
  return [
    `${status} `,
    `connection: ${keeps ? 'keep-alive' : 'close'}`,
    ...(keeps && timeout ? [`keep-alive: timeout=${timeout}`] : []),
    ...(length ? [length] : []),
    ...(fields.get('retry-after') ?? []).map((value) => `retry-after: ${value.replace(/[^ -~]/g, ' ')}`),
    '\r\n',
  ].join('\r\n');
}

/**
 * The field that tells the length of the body, and whether the connection can be used again (RFC 9112 section 6.3).
 * Where lengths contradict each other the body cannot be read, but the status has been: the body is left out.
 */
function framingOf(status: number, minor: number, fields: Fields): { length?: string; keeps: boolean } {
  const options = tokensOf(fields, 'connection');
  const keeps = !options.includes('close') && (minor > 0 || options.includes('keep-alive'));
  if (status === 204 || status === 304) return { length: 'content-length: 0', keeps };
  const lengths = new Set(tokensOf(fields, 'content-length'));
  const codings = tokensOf(fields, 'transfer-encoding').filter((coding) => coding !== 'identity');
  if (codings.at(-1) === 'chunked')
    return { length: 'transfer-encoding: chunked', keeps: keeps && minor > 0 && lengths.size === 0 };
  if (codings.length > 0) return { keeps: false };
  if (lengths.size === 0) return { keeps: false };
  const [length = ''] = lengths;
  return lengths.size === 1 && /^\d{1,15}$/.test(length)
    ? { length: `content-length: ${length}`, keeps }
    : { length: 'content-length: 0', keeps: false };
}

/** The members of a list field, in lower case and without parameters. */
function tokensOf(fields: Fields, name: Kept): string[] {
  return (fields.get(name) ?? [])
    .flatMap((value) => value.toLowerCase().split(','))
    .map((token) => (token.split(';')[0] ?? '').trim())
    .filter((token) => token !== '');
}
