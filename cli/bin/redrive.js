#!/usr/bin/env node
import { existsSync } from 'node:fs';

const built = new URL('../dist/main.js', import.meta.url);
if (existsSync(built)) await import(built.href);
else {
  process.stderr.write(
    'redrive: this checkout is not built yet: run `npm start`, `npm test` or `npm run build` first.\n',
  );
  process.exitCode = 1;
}
