import { expect, test } from '@jest/globals';
import { describeInBrowser } from '../support/browser/describe-in-browser.ts';
import { expectAccessible, useBrowser } from '../support/browser/use-browser.ts';
import { eventually } from '../support/eventually.ts';

/** The tools of the other tests here find what they are for. */

describeInBrowser('a page', () => {
  const browser = useBrowser();

  test('that axe finds something on fails, with the rule and the place', async () => {
    const page = await browser.newPage();
    await page.setContent(
      '<html lang="en"><title>x</title><main><h1>x</h1><button id="mute"></button></main>',
    );
    await expect(expectAccessible(page)).rejects.toThrow(/#mute[\s\S]*button-name/);
  });

  test('is watched in every tab, for what it writes and for what it throws', async () => {
    const seen: string[] = [];
    const expects = [{ test: (fault: string) => seen.push(fault) > 0 } as RegExp];
    const page = await browser.newPage({ expects });
    const tab = await page.context().newPage();
    for (const each of [page, tab]) await each.evaluate(`console.error('written')`);
    await tab.setContent('<script>throw new Error("thrown")</script>');
    await eventually(
      'all three are seen',
      () =>
        seen.filter((fault) => fault === 'written').length === 2 &&
        seen.some((fault) => fault.includes('thrown')),
      { otherwise: () => seen.join() },
    );
  });

  test('that violates its content security policy fails, in words that do not change', async () => {
    const seen: string[] = [];
    const expects = [{ test: (fault: string) => seen.push(fault) > 0 } as RegExp];
    const page = await browser.newPage({ expects });
    await page.route('http://page.example/', (route) =>
      route.fulfill({
        contentType: 'text/html',
        headers: { 'content-security-policy': "default-src 'none'" },
        body: '<!doctype html><title>x</title><style>h1 { color: red }</style><img src="/x.png">',
      }),
    );
    await page.goto('http://page.example/');
    for (const directive of ['style-src-elem', 'img-src'])
      await eventually(
        `the violation of ${directive} is seen`,
        () => seen.some((fault) => fault.startsWith(`CSP: ${directive} refused `)),
        { otherwise: () => seen.join() },
      );
  });
});
