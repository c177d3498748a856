import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { govern } from '../support/api/governed.ts';
import { openAsAdmin } from '../support/browser/admin-page.ts';
import { describeInBrowser } from '../support/browser/describe-in-browser.ts';
import { expectAccessible, useBrowser } from '../support/browser/use-browser.ts';
import { useConsole } from '../support/browser/use-console.ts';
import { createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { ok } from '../support/receivers/receiver-behaviour.ts';

/** Forms begin with what is in force, and take nothing for a number that is none. */

describeInBrowser('a form', () => {
  const redrive = useConsole();
  const browser = useBrowser();
  let scene: Scene;

  beforeAll(async () => {
    scene = await createScene(redrive.engine, [ok]);
    await scene.seed(3);
  });
  afterAll(() => scene.close());

  const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

  /** A button that refuses: it names why, and a click does nothing. */
  async function refuses(page: Page, name: RegExp, why: RegExp): Promise<void> {
    const refusing = page.getByRole('button', { name });
    await refusing.and(page.locator('[aria-disabled=true]')).waitFor();
    expect(await refusing.textContent()).toMatch(why);
    await refusing.click({ force: true });
  }

  async function policy() {
    const headers = { 'redrive-tenant': scene.tenant.handle };
    const answer = await redrive.engine.client.expect(200, 'GET', '/api/v1/policy', { headers });
    return answer.body.policy;
  }

  async function set(page: Page): Promise<void> {
    await button(page, 'Set the policy').click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  }

  test('of the policy begins with what was set a moment ago, and undoes none of it', async () => {
    const page = await openAsAdmin(redrive, browser, scene.tenant.handle, 'settings');
    await button(page, 'Change…').click();
    await page.getByLabel('Approval above, deliveries').fill('1000');
    await set(page);
    await button(page, 'Change…').click();
    await page.getByLabel('A reason above, deliveries').fill('50');
    expect(await page.getByLabel('Approval above, deliveries').inputValue()).toBe('1000');
    await set(page);
    expect(await policy()).toMatchObject({ approveAbove: 1_000, reasonAbove: 50 });
  });

  test('of the policy undoes nothing that somebody else sets while it is open, says who, and keeps what was typed', async () => {
    const page = await openAsAdmin(redrive, browser, scene.tenant.handle, 'settings', {
      expects: [/status of 412/],
    });
    await govern(redrive.engine, scene.tenant).set({ approveAbove: 30, approvers: { count: 1 } });
    await button(page, 'Change…').click();
    await page.getByLabel('A reason above, deliveries').fill('60');
    await govern(redrive.engine, scene.tenant).set({ approveAbove: 20, approvers: { count: 2 } });
    await button(page, 'Set the policy').click();
    const notice = page.getByText('Somebody else has set the policy meanwhile');
    await notice.waitFor();
    await page.getByText('Approval above, deliveries: 20, taken from theirs.').waitFor();
    expect(await page.getByLabel('A reason above, deliveries').inputValue()).toBe('60');
    expect(await page.getByLabel('Approval above, deliveries').inputValue()).toBe('20');
    await expectAccessible(page);
    await set(page);
    expect(await policy()).toMatchObject({ approveAbove: 20, reasonAbove: 60, approvers: { count: 2 } });
  });

  test('of the policy takes thousands for thousands, and words for no lifting of a limit', async () => {
    const page = await openAsAdmin(redrive, browser, scene.tenant.handle, 'settings');
    await button(page, 'Change…').click();
    const field = page.getByLabel('Approval above, deliveries');
    for (const text of ['all', '1,00', '50/s']) {
      await field.fill(text);
      await refuses(page, /^Set the policy/, /unclear|no number/);
    }
    await expectAccessible(page);
    await field.fill('2,000');
    await set(page);
    expect(await policy()).toMatchObject({ approveAbove: 2_000 });
  });

  test('of the rate of an operation takes what is written, or says why it does not', async () => {
    const notBefore = new Date(Date.now() + 3_600_000).toISOString();
    const { id } = await scene.retries.start({ select: { filter: {} }, options: { notBefore } });
    const page = await browser.newPage();
    await page.goto(await redrive.signedIn(scene.tenant.handle));
    await page.getByRole('heading', { name: 'Now', level: 1 }).waitFor();
    await page.goto(`${redrive.url}/console/operations/${id}`);
    await button(page, 'Rate…').click();
    const field = page.getByLabel('Requests a second, over all endpoints');
    for (const text of ['0,5', 'fast', '0']) {
      await field.fill(text);
      await refuses(page, /^Set the rate/, /unclear|no number|above 0/);
    }
    await field.fill('1,000');
    await button(page, 'Set the rate').click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await scene.retries.show(id)).toMatchObject({ ratePerSecond: 1_000 });
  });

  test('of a recovery freezes no plan at another pace than the one that is written', async () => {
    const page = await browser.newPage();
    await page.goto(await redrive.signedIn(scene.tenant.handle));
    await page.getByRole('heading', { name: 'Now', level: 1 }).waitFor();
    await page.goto(`${redrive.url}/console/recover?state=failed`);
    const field = page.getByLabel('Rate, requests a second');
    await field.fill('50/s');
    await field.blur();
    await refuses(page, /^Freeze a plan/, /no number/);
    // What was written stays, for it does not count.
    expect(await field.inputValue()).toBe('50/s');
    await field.fill('1,000');
    await button(page, 'Freeze a plan').waitFor();
    await page.getByText('"ratePerSecond":1000').waitFor();
  });
});
