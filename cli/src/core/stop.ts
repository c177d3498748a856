import type { Exit } from './exit-codes.ts';

/** Ends a command with an exit of its own: what is wrong, and what to do next. */
export class Stop extends Error {
  override readonly name = 'Stop';
  readonly exit: Exit;
  /** A command or an act that helps. */
  readonly next: string | undefined;

  constructor(exit: Exit, message: string, next?: string) {
    super(message);
    this.exit = exit;
    this.next = next;
  }
}

/** The command was called wrongly. */
export function usage(message: string, next?: string): Stop {
  return new Stop('usage', message, next);
}
