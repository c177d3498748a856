import { describe, test } from '@jest/globals';
import { browserIsRequired, chromiumPath, NO_CHROMIUM } from './chromium.ts';

/** Tests that need a browser: skipped where there is none, which the end of the run says aloud; in CI they fail. */
export function describeInBrowser(title: string, tests: () => void): void {
  if (chromiumPath() !== undefined) describe(title, tests);
  else if (browserIsRequired())
    test(title, () => {
      throw new Error(NO_CHROMIUM);
    });
  else describe.skip(title, tests);
}
