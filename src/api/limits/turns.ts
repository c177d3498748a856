/** Waits for a turn, does one piece of work in it, and lets others have theirs. */
export type Turns = <Result>(act: () => Promise<Result>) => Promise<Result>;

/**
 * Waits for a turn among those with the same key, which has `atOnce`, before the turn among all: whoever has more pieces
 * of work than may go on at a time waits without taking a turn from others.
 */
export function turnsOf(inTurn: Turns, atOnce = 1): (key: string) => Turns {
  const own = new Map<string, { turns: Turns; users: number }>();
  return (key) => async (act) => {
    const mine = own.get(key) ?? { turns: createTurns(atOnce), users: 0 };
    own.set(key, mine);
    mine.users += 1;
    try {
      return await mine.turns(() => inTurn(act));
    } finally {
      mine.users -= 1;
      if (mine.users === 0) own.delete(key);
    }
  };
}

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

/** Does a piece of work when its turn comes; undefined, and it is never done, where that takes longer than `waitMs`. */
export function inTurnWithin<Result>(
  inTurn: Turns,
  waitMs: number,
  act: () => Promise<Result>,
): Promise<Result | undefined> {
  return new Promise((resolve, reject) => {
    let gone = false;
    const timer = setTimeout(() => {
      gone = true;
      resolve(undefined);
    }, waitMs);
    inTurn(async () => {
      clearTimeout(timer);
      if (!gone) resolve(await act());
    }).catch(reject);
  });
}
