import { afterAll, afterEach, beforeAll } from '@jest/globals';

/**
 * Starts a part of the tests' world before the tests of a file or `describe`, and closes it after them. It is empty
 * until then: use it within hooks and tests only. Hooks run in the order of their definition: call it before others.
 */
export function use<Part extends object>(
  start: () => Promise<Part>,
  close: (part: Part) => Promise<void>,
): Part {
  const part = {} as Part;
  beforeAll(async () => {
    Object.assign(part, await start());
  });
  afterAll(async () => {
    // Its start may have failed.
    if (Object.keys(part).length > 0) await close(part);
  });
  return part;
}

/** Returns a function that hands back the part it is given, and closes that part after the test. */
export function closedAfterEach(): <Part extends { close(): Promise<void> }>(part: Part) => Part {
  const parts: { close(): Promise<void> }[] = [];
  afterEach(() => Promise.all(parts.splice(0).map((part) => part.close())));
  return (part) => {
    parts.push(part);
    return part;
  };
}
