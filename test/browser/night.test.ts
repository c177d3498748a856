import { expect, test } from '@jest/globals';
import type { Locator, Page } from 'playwright-core';
import { describeInBrowser } from '../support/browser/describe-in-browser.ts';
import { keepPicture, PICTURE_SIZE } from '../support/browser/pictures.ts';
import { useBrowser } from '../support/browser/use-browser.ts';
import { useConsole } from '../support/browser/use-console.ts';
import { createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { eventually } from '../support/eventually.ts';
import { ok, status } from '../support/receivers/receiver-behaviour.ts';
import { closedAfterEach } from '../support/use.ts';

/** One night of the person on call: an outage, a plan that somebody else approves, a canary that halts, a report. */

const FAILURES = 120;

describeInBrowser('a night with the console', () => {
  // An endpoint counts as down as soon as enough of its attempts were in vain, not after a minute of them.
  const redrive = useConsole({ sizes: { outages: { missedForMs: 1 } } });
  const browser = useBrowser();
  const closed = closedAfterEach();

  /** A tenant whose endpoint went down while events came, where more than ten deliveries need somebody else's approval. */
  async function outage(tenant: string): Promise<Scene> {
    const { client } = redrive.engine;
    // By itself nothing is tried meanwhile: what is shown is what is there.
    const scene = await createScene(
      redrive.engine,
      [ok],
      { handle: 'warehouse', onRecovered: 'none' },
      { tenant },
    );
    const { key } = scene.tenant;
    await client.expect(201, 'POST', '/api/v1/keys', {
      body: {
        tenantId: scene.tenant.id,
        name: 'approver',
        actor: 'bob',
        scopes: ['read:deliveries', 'read:endpoints', 'approve:retries'],
      },
    });
    await client.expect(200, 'PUT', '/api/v1/policy', {
      headers: { 'redrive-tenant': scene.tenant.handle },
      body: { approveAbove: 10, approvers: { count: 1 } },
    });
    const send = (from: number, count: number) =>
      client.expect(202, 'POST', '/api/v1/events', {
        key,
        body: Array.from({ length: count }, (_, n) => ({
          id: `order-${from + n}`,
          type: 'order.paid',
          payload: { order: from + n },
        })),
      });
    const are = (count: number, state: string) =>
      eventually(
        `${count} are ${state}`,
        async () => (await scene.ids(`state = '${state}'`)).length === count,
      );
    await send(1, 30);
    await are(30, 'delivered');
    scene.receivers[0]?.switchTo(status(500));
    await send(31, FAILURES);
    await are(FAILURES, 'failed');
    return scene;
  }

  const says = (page: Page, text: string | RegExp) => page.getByText(text).first().waitFor();
  const title = (page: Page, name: string) => page.getByRole('heading', { name, level: 1 }).waitFor();
  const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
  const link = (page: Page, name: string) => page.getByRole('link', { name, exact: true });

  test('leads from an outage to a report that is verified, in ten clicks of who is on call', async () => {
    const scene = closed(await outage('acme'));
    const page = await browser.newPage({ viewport: PICTURE_SIZE });
    let clicks = 0;
    const click = async (what: Locator) => {
      clicks += 1;
      await what.click();
    };
    await page.goto(await redrive.signedIn('acme'));
    await title(page, 'Now');
    await says(page, 'Still failing');
    await keepPicture(page, '1-now');
    await click(link(page, `${FAILURES} not delivered to warehouse`));
    await title(page, 'Deliveries');
    await says(page, `${FAILURES} matching`);
    await keepPicture(page, '2-failures');
    await click(link(page, 'Recover all that match…'));
    await page.getByLabel('Reason').fill('warehouse was down');
    await click(button(page, 'Freeze a plan'));
    await says(page, 'Risks');
    await button(page, 'Ask for approval…').waitFor();
    await keepPicture(page, '3-plan');
    await click(button(page, 'Ask for approval…'));
    await click(button(page, 'Ask for approval'));
    await says(page, 'Awaiting approval');

    const approver = await browser.newPage();
    await approver.goto(await redrive.signedIn('acme', 'approver'));
    await approver.getByRole('link', { name: /^Approvals/ }).click();
    await button(approver, 'Approve…').click();
    await button(approver, 'Approve').click();
    await says(approver, 'Nothing waits for approval');

    await says(page, 'Halted: its canary did badly');
    await says(page, '25 of 25 bad: held');
    await keepPicture(page, '4-halted');
    expect(scene.sent()).toBeLessThan(30 + 2 * FAILURES);
    scene.receivers[0]?.switchTo(ok);
    await click(button(page, 'Resume'));
    await says(page, 'Completed');
    await keepPicture(page, '5-completed');
    await click(link(page, 'Report'));
    await says(page, 'Verified: signed by this server');
    await click(button(page, 'Check every line'));
    await says(page, `All ${FAILURES} lines are those that were signed`);
    await keepPicture(page, '6-report');
    await fitsOnPaper(page);
    expect(clicks).toBeLessThanOrEqual(10);
  });

  test('needs no mouse', async () => {
    const scene = closed(await outage('globex'));
    const page = await browser.newPage();
    await page.goto(await redrive.signedIn('globex'));
    await title(page, 'Now');
    await says(page, 'Still failing');
    await tabTo(page, /^Recover warehouse$/);
    await page.keyboard.press('Enter');
    await title(page, 'Recover');
    await tabTo(page, /^Freeze a plan$/);
    await page.keyboard.press('Enter');
    await button(page, 'Ask for approval…').waitFor();
    await tabTo(page, /^Ask for approval…$/);
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await tabTo(page, /^Ask for approval$/);
    await page.keyboard.press('Enter');
    await says(page, 'Awaiting approval');

    const approver = await browser.newPage();
    await approver.goto(await redrive.signedIn('globex', 'approver'));
    await title(approver, 'Now');
    await openByName(approver, 'approvals');
    await title(approver, 'Approvals');
    await button(approver, 'Approve…').waitFor();
    await tabTo(approver, /^Approve…$/);
    await approver.keyboard.press('Enter');
    await approver.getByRole('dialog').waitFor();
    // The focus is in the field of the comment: Enter sends the form.
    await tabTo(approver, /^Comment/);
    await approver.keyboard.press('Enter');
    await says(approver, 'Nothing waits for approval');

    await says(page, 'Halted: its canary did badly');
    scene.receivers[0]?.switchTo(ok);
    await tabTo(page, /^Resume$/);
    await page.keyboard.press('Enter');
    await says(page, 'Completed');
    await tabTo(page, /^Report$/);
    await page.keyboard.press('Enter');
    await says(page, 'Verified: signed by this server');
    await tabTo(page, /^Check every line$/);
    await page.keyboard.press('Enter');
    await says(page, `All ${FAILURES} lines are those that were signed`);

    await openByName(page, 'operations');
    await title(page, 'Operations');
    await page.locator('tr[data-row] a').first().waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('e');
    await title(page, 'Retry');
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  });
});

/** The width of A4 without its margins, in the pixels of print. */
const PAPER_PX = 673;

/** That a report can be printed: nothing that is pressed is on it, and nothing of it is cut off. */
async function fitsOnPaper(page: Page): Promise<void> {
  await page.emulateMedia({ media: 'print' });
  await page.setViewportSize({ width: PAPER_PX, height: 900 });
  for (const name of [/^Print$/, /^Check every line$/, /^Find/])
    expect(await page.getByRole('button', { name }).isVisible()).toBe(false);
  expect(await page.getByRole('navigation').isVisible()).toBe(false);
  const cut = await page.evaluate(
    `[...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > document.body.clientWidth + 1).map((e) => e.textContent)`,
  );
  expect(cut).toEqual([]);
  await page.emulateMedia({ media: 'screen' });
}

/** Goes on by the tabulator until that has the focus, as somebody does who sees only where they are. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  const seen: string[] = [];
  await eventually(
    `the focus is on ${name}`,
    async () => {
      await page.keyboard.press('Tab');
      const focused = String(
        await page.evaluate(
          `(() => { const e = document.activeElement; return (e.getAttribute('aria-label') ?? (e.labels?.[0]?.textContent || e.textContent) ?? '').trim(); })()`,
        ),
      );
      seen.push(focused.slice(0, 30));
      return name.test(focused);
    },
    { otherwise: () => seen.slice(-60).join(' > ') },
  );
}

/** Opens a screen by its name, with the keys alone. */
async function openByName(page: Page, name: string): Promise<void> {
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').waitFor();
  await page.keyboard.type(name);
  await page.getByRole('option').first().waitFor();
  await page.keyboard.press('Enter');
}
