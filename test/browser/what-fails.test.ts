import { expect, test } from '@jest/globals';
import { describeInBrowser } from '../support/browser/describe-in-browser.ts';
import { expectAccessible, useBrowser } from '../support/browser/use-browser.ts';

/** The tools of the other tests here find what they are for. */

describeInBrowser('a page', () => {
  const browser = useBrowser();

  test('that axe finds something on fails, with the rule and the place', async () => {
    const page = await browser.newPage();
    await page.setContent(
      '<html lang="en"><title>x</title><main><h1>x</h1><button id="mute"></button></main>',
    );
    await expect(expectAccessible(page)).rejects.toThrow(/button-name[\s\S]*#mute/);
  });

  test('is watched in every tab, for what it writes and for what it throws', async () => {
    const seen: string[] = [];
    const expects = [{ test: (fault: string) => seen.push(fault) > 0 } as RegExp];
    const page = await browser.newPage({ expects });
    const tab = await page.context().newPage();
    for (const each of [page, tab]) await each.evaluate(`console.error('written')`);
    await tab.setContent('<script>throw new Error("thrown")</script>');
    expect(seen.filter((fault) => fault === 'written')).toHaveLength(2);
    expect(seen.filter((fault) => fault.includes('thrown'))).toHaveLength(1);
  });
});
