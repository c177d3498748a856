/** Waits for a turn, does one piece of work in it, and lets others have theirs. */
export type Turns = <Result>(act: () => Promise<Result>) => Promise<Result>;

/**
 * Lets `atOnce` pieces of work go on at a time, first come, first served: a caller with many pieces, one after another,
 * waits behind everybody else for each of them.
 */
export function createTurns(atOnce: number): Turns {
  const waiting: (() => void)[] = [];
  let free = atOnce;

  return async (act) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await act();
    } finally {
      // Reads and writes that are ready go first: a page is milliseconds of work.
      setImmediate(() => {
        const next = waiting.shift();
        if (next) next();
        else free += 1;
      });
    }
  };
}
