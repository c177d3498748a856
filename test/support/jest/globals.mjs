// What tests import as `@jest/globals`. Modules are loaded once for all files of a worker, and each file has a run of its
// own: the bindings are those of the file that runs. A module that is shared calls them, and keeps none of them.

export let afterAll;
export let afterEach;
export let beforeAll;
export let beforeEach;
export let describe;
export let expect;
export let test;

/** Gives all who import them the globals of the file that runs now. */
export function setGlobals(globals) {
  ({ afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } = globals);
}
