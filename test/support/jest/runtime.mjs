import { createRequire, register } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MessageChannel } from 'node:worker_threads';
import { setGlobals } from './globals.mjs';

const require = createRequire(import.meta.url);

/** Where the source map of each compiled file is, by the file's URL. */
const maps = new Map();

let registered = false;

/**
 * How jest loads a file of tests: as Node does, in the process itself, and with what earlier files of the worker have
 * loaded already. Jest's own way loads every module anew for each file, which costs more than most files do.
 */
export default class PlainRuntime {
  constructor({ cacheDirectory }) {
    registerHooks(cacheDirectory);
  }

  getSourceMaps() {
    return maps;
  }

  /** Loads jest's own part of a run: anew for each file, as it keeps the state of one. */
  requireInternalModule(path) {
    delete require.cache[path];
    return require(path);
  }

  requireModule(path) {
    return require(path);
  }

  setGlobalsForRuntime(globals) {
    setGlobals(globals);
  }

  unstable_shouldLoadAsEsm() {
    return true;
  }

  async unstable_importModule(path) {
    await import(pathToFileURL(path).href);
  }

  enterTestCode() {}

  leaveTestCode() {}

  getAllCoverageInfoCopy() {}

  teardown() {
    setGlobals({});
  }
}

function registerHooks(cacheDirectory) {
  if (registered) return;
  registered = true;
  const { port1, port2 } = new MessageChannel();
  port1.on('message', ({ url, map }) => maps.set(url, map));
  port1.unref();
  register('./hooks.mjs', import.meta.url, {
    data: { directory: join(cacheDirectory, 'redrive'), port: port2 },
    transferList: [port2],
  });
}
