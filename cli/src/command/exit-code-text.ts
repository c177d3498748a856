import { EXITS } from '../core/exit-codes.ts';

/** The exit codes as a text. */
export function exitCodeText(): string {
  const lines = Object.values(EXITS).map(
    ({ code, says }) => `${String(code).padStart(5)}  ${says.replaceAll('`', '')}`,
  );
  return `Exit codes of redrive\n\n${lines.join('\n')}\n`;
}
