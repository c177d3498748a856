import { usage } from '../core/stop.ts';
import type { Context } from '../shell/context.ts';
import { textIn } from '../shell/files.ts';
import { readAll } from '../shell/prompt.ts';

/** The JSON of a file, or of standard input where it is `-`. */
export async function readBody(context: Context, file: string): Promise<unknown> {
  const text = await readInput(context, file);
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw usage(`${file === '-' ? 'Standard input' : file} is no JSON${placeOf(error)}.`);
  }
}

/** Where a text stops being JSON: of what the parser says nothing more, for it quotes the text, which may hold a secret. */
function placeOf(error: unknown): string {
  const [, position] = /at position (\d+)/.exec((error as Error).message) ?? [];
  return position === undefined ? '' : ` from its character ${Number(position) + 1} on`;
}

/** Standard inputs that were read: a second one has nothing more to say, and would be taken for empty. */
const used = new WeakSet<object>();

/** The text of a file, or of standard input where it is `-`, and then no longer than `most` bytes. */
export async function readInput({ stdin }: Context, file: string, most?: number): Promise<string> {
  if (file !== '-') return textIn(file);
  if (stdin.isTTY) throw usage('Standard input is a terminal: give a file, or pipe something in.');
  if (used.has(stdin)) throw usage('Standard input can be given once: two files are `-`.');
  used.add(stdin);
  return readAll(stdin, most);
}

/** The same as an object. */
export async function readObject(context: Context, file: string): Promise<Record<string, unknown>> {
  const body = await readBody(context, file);
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw usage(`${file} holds no JSON object.`);
  return body as Record<string, unknown>;
}
