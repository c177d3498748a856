import { existsSync } from 'node:fs';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome-stable',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** Says what is missing, and how it comes here. */
export const NO_CHROMIUM =
  'There is no Chromium for the tests in a browser: install it (Debian: `apt-get install -y chromium`), or name one in REDRIVE_TEST_CHROMIUM.';

/** The program that the tests in a browser start; undefined where there is none. */
export function chromiumPath(): string | undefined {
  const named = process.env.REDRIVE_TEST_CHROMIUM;
  return named === undefined || named === '' ? PLACES.find((path) => existsSync(path)) : named;
}

/** Whether a run without a browser is a run that failed, as in CI. */
export function browserIsRequired(): boolean {
  return process.env.REDRIVE_TEST_BROWSER === 'required';
}
