import { expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeInBrowser } from '../support/browser/describe-in-browser.ts';
import { useBrowser } from '../support/browser/use-browser.ts';
import { useConsole } from '../support/browser/use-console.ts';
import { createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { eventually } from '../support/eventually.ts';
import { ok, status } from '../support/receivers/receiver-behaviour.ts';

/** One night of the person on call: an outage, a plan that somebody else approves, a canary that halts, a report. */

const FAILURES = 40;

describeInBrowser('a night with the console', () => {
  const redrive = useConsole();
  const browser = useBrowser();

  /** A tenant whose endpoint is down, where more than ten deliveries need the approval of somebody else. */
  async function outage(): Promise<Scene> {
    const { engine } = redrive;
    const scene = await createScene(engine, [status(503)]);
    await scene.seed(FAILURES);
    const { client } = engine;
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
    return scene;
  }

  const says = (page: Page, text: string | RegExp) => page.getByText(text).first().waitFor();
  const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

  async function approve(scene: Scene): Promise<void> {
    const page = await browser.newPage();
    await page.goto(await redrive.signedIn(scene.tenant.handle, 'approver'));
    await page.getByRole('link', { name: /^Approvals/ }).click();
    await button(page, 'Approve…').click();
    await button(page, 'Approve').click();
    await says(page, 'Nothing waits for approval');
  }

  test('leads from what failed to a report that is verified, in ten clicks of who is on call', async () => {
    const scene = await outage();
    const page = await browser.newPage();
    let clicks = 0;
    const click = async (what: ReturnType<typeof button>) => {
      clicks += 1;
      await what.click();
    };
    await page.goto(await redrive.signedIn(scene.tenant.handle));
    await page.getByRole('heading', { name: 'Now', level: 1 }).waitFor();
    await click(page.getByRole('link', { name: 'Failures', exact: true }));
    await says(page, `${FAILURES}`);
    await click(page.getByRole('link', { name: 'Recover all that match…' }));
    await page.getByLabel('Canary, deliveries of each endpoint').fill('5');
    await page.getByLabel('Reason').fill('endpoint was down');
    await click(button(page, 'Freeze a plan'));
    await click(button(page, 'Ask for approval…'));
    await says(page, 'Awaiting approval');
    await approve(scene);
    await says(page, 'Halted: canary');
    expect(scene.sent()).toBeLessThan(FAILURES);
    scene.receivers[0]?.switchTo(ok);
    await click(button(page, 'Resume'));
    await says(page, 'Completed');
    await click(page.getByRole('link', { name: 'Report', exact: true }));
    await says(page, 'Verified: signed by this server');
    await click(button(page, 'Check every line'));
    await says(page, `All ${FAILURES} lines are those that were signed`);
    expect(clicks).toBeLessThanOrEqual(10);
    await scene.close();
  });

  test('needs no mouse', async () => {
    const scene = await outage();
    const page = await browser.newPage();
    const { keyboard } = page;
    /** Goes on by the tabulator until that has the focus, as somebody does who sees only where they are. */
    const tabTo = (name: RegExp) =>
      eventually(`the focus is on ${name}`, async () => {
        await keyboard.press('Tab');
        const focused = await page.evaluate(
          `(() => { const e = document.activeElement; return (e.getAttribute('aria-label') ?? (e.labels?.[0]?.textContent || e.textContent) ?? '').trim(); })()`,
        );
        return name.test(String(focused));
      });
    await page.goto(await redrive.signedIn(scene.tenant.handle));
    await page.getByRole('heading', { name: 'Now', level: 1 }).waitFor();
    await keyboard.press('Control+k');
    await page.getByRole('combobox').waitFor();
    await keyboard.type('recover');
    await keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Recover', level: 1 }).waitFor();
    await tabTo(/^Freeze a plan$/);
    await keyboard.press('Enter');
    await button(page, 'Ask for approval…').waitFor();
    await tabTo(/^Ask for approval…$/);
    await keyboard.press('Enter');
    await says(page, 'Awaiting approval');
    scene.receivers[0]?.switchTo(ok);
    await approve(scene);
    await says(page, 'Completed');
    await tabTo(/^Report$/);
    await keyboard.press('Enter');
    await says(page, 'Verified: signed by this server');
    await page.goBack();
    await tabTo(/^Operations$/);
    await keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Operations', level: 1 }).waitFor();
    await keyboard.press('j');
    await keyboard.press('e');
    await page.getByRole('heading', { name: 'Retry', level: 1 }).waitFor();
    await keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await keyboard.press('Escape');
    await scene.close();
  });
});
