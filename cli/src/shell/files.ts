import { access, constants, readFile, stat } from 'node:fs/promises';
import { reasonOf } from '../core/mistake.ts';
import { type Stop, usage } from '../core/stop.ts';

/** What is said of a file that somebody named and that cannot be read. */
export function unreadable(file: string, error: unknown): Stop {
  return usage(`${file} cannot be read: ${reasonOf(error)}.`);
}

/** The text of a file that somebody named. */
export async function textIn(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** The JSON of a file that somebody named. */
export async function jsonIn(file: string): Promise<unknown> {
  return (await jsonOf(file)).value;
}

/** The JSON of a file that somebody named, and its text. */
export async function jsonOf(file: string): Promise<{ value: unknown; text: string }> {
  const text = (await textIn(file)).replace(/^\uFEFF/, '');
  try {
    return { value: JSON.parse(text), text };
  } catch {
    throw usage(`${file} is no JSON.`);
  }
}

/** The name of a file that can be read: a stream would say so too late. */
export async function readable(file: string): Promise<string> {
  await isPlain(file);
  return file;
}

/** Whether a file that can be read is a plain one: others, such as pipes, can be read once. */
export async function isPlain(file: string): Promise<boolean> {
  try {
    await access(file, constants.R_OK);
    const found = await stat(file);
    if (found.isDirectory()) throw Object.assign(new Error('a folder'), { code: 'EISDIR' });
    return found.isFile();
  } catch (error) {
    throw unreadable(file, error);
  }
}
