import { createInterface } from 'node:readline';
import type { ReadStream } from 'node:tty';
import { Stop } from '../core/stop.ts';
import type { Speaker } from './speaker.ts';

/** Asks for one line on the terminal. */
export async function askLine(input: NodeJS.ReadStream, speaker: Speaker, question: string): Promise<string> {
  speaker.ask(question);
  const lines = createInterface({ input });
  try {
    for await (const line of lines) return line;
    // The end of the input (Ctrl-D) is no answer.
    return '';
  } finally {
    lines.close();
  }
}

const ENDS = new Set(['\r', '\n', '\u0004']);
const INTERRUPT = '\u0003';
const ERASE = new Set(['\u0008', '\u007f']);

/** Asks for something secret: what is typed is not shown. */
export async function askSecret(
  input: NodeJS.ReadStream,
  speaker: Speaker,
  question: string,
): Promise<string> {
  const terminal = input as ReadStream;
  terminal.setRawMode(true);
  terminal.setEncoding('utf8');
  try {
    // Behind that: what is pasted as soon as it is asked for would be shown.
    speaker.ask(question);
    return await new Promise<string>((resolve, reject) => {
      let typed = '';
      const onData = (text: string) => {
        for (const character of text) {
          if (ENDS.has(character)) return end(() => resolve(typed));
          if (character === INTERRUPT) return end(() => reject(new Stop('interrupted', 'Interrupted.')));
          if (ERASE.has(character)) typed = typed.slice(0, -1);
          else typed += character;
        }
      };
      const end = (then: () => void) => {
        terminal.off('data', onData);
        then();
      };
      terminal.on('data', onData);
      terminal.resume();
    });
  } finally {
    terminal.setRawMode(false);
    terminal.pause();
    speaker.must('');
  }
}

/** Everything on standard input, where it is no terminal: a key, a file. */
export async function readAll(
  input: AsyncIterable<Buffer | string>,
  most = 8 * 1_024 * 1_024,
): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of input) {
    const buffer = Buffer.from(part);
    bytes += buffer.length;
    if (bytes > most) throw new Stop('usage', `Standard input is longer than ${most} bytes.`);
    parts.push(buffer);
  }
  return Buffer.concat(parts).toString('utf8');
}
