/** Choices from a source of numbers in [0, 1). */

/** Whether something of this chance comes to pass. */
export function chance(random: () => number, of: number): boolean {
  return random() < of;
}

/** A whole number from 0 on, below `end`. */
export function upTo(random: () => number, end: number): number {
  return Math.floor(random() * end);
}

/** Any of them, each as likely as the others. */
export function anyOf<T>(random: () => number, from: readonly T[]): T {
  const chosen = from[upTo(random, from.length)];
  if (chosen === undefined) throw new Error('nothing to choose from');
  return chosen;
}

/** One of the names, by their weights. */
export function oneOf<Name extends string>(random: () => number, weights: Record<Name, number>): Name {
  const names = Object.keys(weights) as Name[];
  return anyOf(
    random,
    names.flatMap((name) => Array<Name>(weights[name]).fill(name)),
  );
}
