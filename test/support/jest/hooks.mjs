import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transform, version } from '@swc/core';

// Hooks of Node's own loader, for the files of the repository: TypeScript is compiled, and kept for the next process.

const GLOBALS = new URL('globals.mjs', import.meta.url).href;

const OPTIONS = {
  jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
  module: { type: 'es6' },
  sourceMaps: true,
  configFile: false,
  swcrc: false,
};

let directory;
let port;

/** `directory` keeps what was compiled; `port` is told where the source map of each file is. */
export async function initialize(data) {
  ({ directory, port } = data);
  await mkdir(directory, { recursive: true });
}

export function resolve(specifier, context, next) {
  if (specifier === '@jest/globals') return { url: GLOBALS, format: 'module', shortCircuit: true };
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context);
  const file = fileURLToPath(url);
  const source = await readFile(file, 'utf8');
  const of = JSON.stringify([version, OPTIONS, file, source]);
  const kept = join(directory, createHash('sha256').update(of).digest('hex'));
  const map = `${kept}.map`;
  port.postMessage({ url, map });
  const code = await readFile(`${kept}.mjs`, 'utf8').catch(() => compile(source, file, kept));
  return { format: 'module', source: code, shortCircuit: true };
}

/** The map is there before the code is: other processes compile the same files at the same time. */
async function compile(source, filename, kept) {
  const { code, map } = await transform(source, { ...OPTIONS, filename });
  await put(`${kept}.map`, map);
  await put(`${kept}.mjs`, code);
  return code;
}

async function put(file, text) {
  const unfinished = `${file}.${process.pid}`;
  await writeFile(unfinished, text);
  await rename(unfinished, file);
}
