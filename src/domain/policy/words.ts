/** Blanks, and signs that show nothing, such as U+200B. */
const SHOWN = /[^\p{Z}\p{Cc}\p{Cf}\p{DI}]/u;

/** Whether a text has anything that a reader would see. */
export function saysSomething(text: string | undefined): boolean {
  return text !== undefined && SHOWN.test(text);
}
