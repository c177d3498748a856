/** State that jest keeps in the global object, by descriptions of its symbols: the next file starts without it. */
const OF_A_RUN = ['JEST_STATE_SYMBOL', 'EVENT_HANDLERS'];

/**
 * The environment of a file of tests: the process as it is. Jest's own gives each file a global object and all modules
 * anew, which costs more than most files do.
 */
export default class PlainEnvironment {
  global = globalThis;
  #exit = process.exit;

  async setup() {}

  async teardown() {
    // It was replaced for this file by one that says who called it.
    process.exit = this.#exit;
    for (const symbol of Object.getOwnPropertySymbols(globalThis))
      if (OF_A_RUN.includes(symbol.description)) delete globalThis[symbol];
  }

  exportConditions() {
    return ['node', 'node-addons'];
  }

  getVmContext() {
    return null;
  }
}
