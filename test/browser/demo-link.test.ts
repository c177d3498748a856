import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { Locator } from 'playwright-core';
import { describeInBrowser } from '../support/browser/describe-in-browser.ts';
import { useBrowser } from '../support/browser/use-browser.ts';
import { endAll, startRedrive } from '../support/engine/started-redrive.ts';
import { inTemporaryDirectory } from '../support/temporary-directory.ts';

const STARTS_WITHIN_MS = 120_000;

describeInBrowser('the link of the demo', () => {
  const browser = useBrowser();

  test('leads a newcomer to a verified report in ten clicks, with nothing to type', () =>
    inTemporaryDirectory(async (directory) => {
      const redrive = startRedrive({ REDRIVE_DATA_DIR: join(directory, 'data'), REDRIVE_PORT: '0' });
      let processes: number[] = [];
      try {
        // The first link comes while the outage lasts; what follows is seen in the browser.
        await redrive.says('#code=', STARTS_WITHIN_MS);
        processes = await redrive.descendants();
        const link = /http:\S+#code=\S+/.exec(redrive.output())?.[0] ?? '';
        expect(redrive.output()).not.toContain('Closure report');
        const page = await browser.newPage();
        await page.goto(link);
        let clicks = 0;
        const click = async (what: Locator) => {
          clicks += 1;
          await what.click({ timeout: STARTS_WITHIN_MS });
        };
        await click(page.getByRole('link', { name: 'Look at the plan for deploys' }));
        await click(page.getByRole('button', { name: 'Run', exact: true }));
        await page.getByRole('heading', { name: 'Retry', level: 1 }).waitFor();
        await click(page.getByRole('link', { name: 'Report', exact: true }));
        await page.getByText('Verified: signed by this server').first().waitFor();
        await click(page.getByRole('button', { name: 'Check every line' }));
        await page.getByText(/^All \d+ lines are those that were signed$/).waitFor();
        expect(clicks).toBeLessThanOrEqual(10);
        await page.close();
        await redrive.end('SIGINT');
      } finally {
        processes.push(...(await redrive.descendants()));
        await redrive.end('SIGKILL');
        await endAll(processes);
      }
    }));
});
