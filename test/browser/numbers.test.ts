import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Locator, Page } from 'playwright-core';
import { uuidIn } from '../support/api/retries.ts';
import { describeInBrowser } from '../support/browser/describe-in-browser.ts';
import { useBrowser } from '../support/browser/use-browser.ts';
import { useConsole } from '../support/browser/use-console.ts';
import { ALL_FAILURES, createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { seedFailures } from '../support/engine/seed-failures.ts';
import { eventually } from '../support/eventually.ts';
import { ok, status } from '../support/receivers/receiver-behaviour.ts';

/** A number on a screen adds up with those beside it, and leads to a list that has just so many. */

describeInBrowser('the numbers on a screen', () => {
  const redrive = useConsole();
  const browser = useBrowser();
  let scene: Scene;
  let operation: string;

  beforeAll(async () => {
    const { engine } = redrive;
    scene = await createScene(engine, [ok, status(503), status(410)]);
    const seed = (at: number, count: number, faultCode?: string) =>
      seedFailures(engine.database.pool, {
        tenantId: uuidIn('tenant', scene.tenant.id),
        endpointIds: [uuidIn('endpoint', scene.endpoints[at].id)],
        count,
        ...(faultCode ? { faultCode } : {}),
      });
    await seed(0, 130);
    await seed(1, 17);
    await seed(1, 5, 'timeout');
    await seed(2, 8);
    const begun = await scene.retries.start(ALL_FAILURES);
    ({ id: operation } = await scene.retries.ended(begun.id));
    await seed(0, 3, 'connection_refused');
  });
  afterAll(() => scene.close());

  async function at(path: string): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(await redrive.signedIn(scene.tenant.handle));
    await page.getByRole('heading', { name: 'Now', level: 1 }).waitFor();
    await page.goto(`${redrive.url}/console/${path}`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    return page;
  }

  const numberIn = async (link: Locator) =>
    Number(((await link.textContent()) ?? '').replaceAll(/[^0-9]/g, ''));

  /** How many rows the list has to which a link leads; it is scrolled to its end to know. */
  async function listedBy(page: Page, link: Locator, list: string): Promise<number> {
    const href = await link.getAttribute('href');
    const tab = await page.context().newPage();
    await tab.goto(`${redrive.url}${href}`);
    const frame = tab.locator(`figure[aria-label="${list}"]`);
    await frame.locator('tr[data-row]').first().waitFor();
    let rows = -1;
    await eventually('the list has an end', async () => {
      await frame.evaluate((element: { scrollTop: number; scrollHeight: number }) => {
        element.scrollTop = element.scrollHeight;
      });
      rows = Number(await frame.locator('table').getAttribute('aria-rowcount')) - 1;
      return rows >= 0;
    });
    await tab.close();
    return rows;
  }

  test('of an operation add up to what it expected, and each leads to so many items', async () => {
    const page = await at(`operations/${operation}`);
    const terms = page.getByText('expected =');
    await terms.waitFor();
    const [expected, ...parts] = await terms.getByRole('link').all();
    if (!expected) throw new Error('nothing is expected');
    let sum = 0;
    for (const part of parts) {
      const number = await numberIn(part);
      expect(await listedBy(page, part, 'Items')).toBe(number);
      sum += number;
    }
    expect(sum).toBe(160);
    expect(await numberIn(expected)).toBe(sum);
    expect(await listedBy(page, expected, 'Items')).toBe(sum);
  });

  test('of its causes lead to so many items, or nowhere', async () => {
    const page = await at(`operations/${operation}`);
    const causes = page.getByRole('table', { name: 'Causes' });
    await causes.waitFor();
    expect(await causes.getByRole('row').count()).toBeGreaterThan(2);
    for (const link of await causes.getByRole('link').all())
      expect(await listedBy(page, link, 'Items')).toBe(await numberIn(link));
  });

  test('of groups add up to what matches, and each leads to so many deliveries, or nowhere', async () => {
    for (const filter of ['', '?state=any']) {
      const page = await at(`failures${filter}`);
      const groups = page.getByRole('table', { name: 'Failures by endpoint and cause' });
      await groups.waitFor();
      const rows = await groups.locator('tbody tr').all();
      expect(rows.length).toBeGreaterThan(2);
      const said = page.getByText(/^[0-9,]+ matching, exact as of/);
      await said.waitFor();
      const matching = Number(/^[0-9,]+/.exec((await said.textContent()) ?? '')?.[0].replaceAll(',', ''));
      let sum = 0;
      for (const row of rows) {
        sum += await numberIn(row.locator('td').nth(4));
        for (const link of await row.locator('td').nth(4).getByRole('link').all())
          expect(await listedBy(page, link, 'Deliveries')).toBe(await numberIn(link));
      }
      expect(sum).toBe(matching);
    }
  });

  test('of the first screen lead to so many deliveries', async () => {
    const page = await at('');
    const failed = page.getByRole('link', { name: /^Failed: [0-9]/ });
    await failed.waitFor();
    expect(await listedBy(page, failed, 'Deliveries')).toBe(await numberIn(failed));
  });
});
