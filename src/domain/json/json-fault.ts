import { skipSpace } from './payload-slices.ts';

type Expecting = 'value' | 'value or end' | 'name' | 'name or end' | 'colon' | 'comma or end' | 'nothing';

/**
 * Where text stops being JSON (RFC 8259), as an index; undefined where it is JSON. `JSON.parse` finds that too, but its
 * messages quote the text, which may hold data that must not be shown.
 */
export function jsonFaultAt(text: string): number | undefined {
  const open: ('{' | '[')[] = [];
  let expecting: Expecting = 'value';
  let at = 0;
  const afterValue = (): Expecting => (open.length === 0 ? 'nothing' : 'comma or end');

  for (;;) {
    at = skipSpace(text, at);
    const char = text[at];
    if (char === undefined) return expecting === 'nothing' ? undefined : at;
    switch (expecting) {
      case 'nothing':
        return at;
      case 'colon':
        if (char !== ':') return at;
        at += 1;
        expecting = 'value';
        continue;
      case 'comma or end':
        if (char === ',') {
          at += 1;
          expecting = open.at(-1) === '{' ? 'name' : 'value';
          continue;
        }
        if (char !== (open.at(-1) === '{' ? '}' : ']')) return at;
        break;
      case 'name':
      case 'name or end':
        if (char === '"') {
          const end = stringEnd(text, at);
          if (!end.ok) return end.at;
          at = end.at;
          expecting = 'colon';
          continue;
        }
        if (char !== '}' || expecting === 'name') return at;
        break;
      case 'value':
      case 'value or end': {
        if (char === ']' && expecting === 'value or end') break;
        if (char === '{' || char === '[') {
          open.push(char);
          at += 1;
          expecting = char === '{' ? 'name or end' : 'value or end';
          continue;
        }
        const end = char === '"' ? stringEnd(text, at) : scalarEnd(text, at);
        if (!end.ok) return end.at;
        at = end.at;
        expecting = afterValue();
        continue;
      }
    }
    // A container ends here.
    open.pop();
    at += 1;
    expecting = afterValue();
  }
}

const WORDS = ['true', 'false', 'null'];

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

type End = { ok: boolean; at: number };

function stringEnd(text: string, start: number): End {
  for (let at = start + 1; ; at += 1) {
    const code = text.charCodeAt(at);
    if (Number.isNaN(code) || code < 0x20) return { ok: false, at };
    if (code === 0x22) return { ok: true, at: at + 1 };
    if (code !== 0x5c) continue;
    at += 1;
    if (text[at] === 'u') {
      if (!/^[0-9a-fA-F]{4}$/.test(text.slice(at + 1, at + 5))) return { ok: false, at };
      at += 4;
    } else if (at >= text.length || !'"\\/bfnrt'.includes(text[at] as string)) return { ok: false, at };
  }
}

function scalarEnd(text: string, start: number): End {
  const first = text[start];
  if (first === 't' || first === 'f' || first === 'n')
    for (const word of WORDS) if (text.startsWith(word, start)) return { ok: true, at: start + word.length };
  let at = text[start] === '-' ? start + 1 : start;
  const digits = (): boolean => {
    const from = at;
    while (isDigit(text.charCodeAt(at))) at += 1;
    return at > from;
  };
  if (text[at] === '0') at += 1;
  else if (!digits()) return { ok: false, at };
  if (text[at] === '.') {
    at += 1;
    if (!digits()) return { ok: false, at };
  }
  if (text[at] === 'e' || text[at] === 'E') {
    at += 1;
    if (text[at] === '+' || text[at] === '-') at += 1;
    if (!digits()) return { ok: false, at };
  }
  return { ok: true, at };
}
