import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Page, Route } from 'playwright-core';
import { describeInBrowser } from '../support/browser/describe-in-browser.ts';
import { expectAccessible, useBrowser } from '../support/browser/use-browser.ts';
import { useConsole } from '../support/browser/use-console.ts';
import { createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { eventually } from '../support/eventually.ts';
import { ok } from '../support/receivers/receiver-behaviour.ts';

/** Screens with nothing on them, on their way, without an answer, without the right to it, and of another tenant. */

/** Screens that have something of their own to say where there is nothing. */
const EMPTY: Readonly<Record<string, RegExp>> = {
  '': /Nothing was accepted or sent within the last day/,
  failures: /Nothing matches/,
  operations: /Nothing was recovered yet/,
  approvals: /Nothing waits for approval/,
  endpoints: /There is no endpoint yet/,
  settings: /Nobody yet/,
};

describeInBrowser('a screen', () => {
  const redrive = useConsole();
  const browser = useBrowser();
  let scene: Scene;
  let paths: Record<string, string>;

  beforeAll(async () => {
    const { engine } = redrive;
    scene = await createScene(engine, [ok], { handle: 'theirs' });
    await scene.seed(3);
    const { key, id: tenantId } = scene.tenant;
    await engine.client.expect(201, 'POST', '/api/v1/keys', {
      body: { tenantId, name: 'reader', scopes: ['read:deliveries', 'read:endpoints'] },
    });
    const { body: list } = await engine.client.expect(200, 'GET', '/api/v1/deliveries', { key });
    const delivery = list.items[0];
    const select = { deliveryIds: [delivery.id] };
    const notBefore = new Date(Date.now() + 3_600_000).toISOString();
    const { id: operation } = await scene.retries.start({ select, options: { notBefore } });
    const plan = await engine.client.expect(201, 'POST', '/api/v1/retries/plans', { key, body: { select } });
    await eventually('the plan is made', async () => {
      const { body } = await engine.client.expect(200, 'GET', plan.body.links.self, { key });
      return body.state === 'planned';
    });
    paths = {
      operation: `operations/${operation}`,
      items: `operations/${operation}/items`,
      report: `operations/${operation}/report`,
      delivery: `deliveries/${delivery.id}`,
      event: `events/${delivery.event.id}`,
      endpoint: `endpoints/${scene.endpoints[0].id}`,
      plan: `recover?plan=${plan.body.id}`,
      'items of a plan': `plans/${plan.body.id}/items`,
    };
  });
  afterAll(() => scene.close());

  async function signedIn(tenant: string, name?: string, expects: readonly RegExp[] = []): Promise<Page> {
    const page = await browser.newPage({ expects });
    await page.goto(await redrive.signedIn(tenant, name));
    await page.getByRole('heading', { name: 'Now', level: 1 }).waitFor();
    return page;
  }

  const open = (page: Page, path = '') => page.goto(`${redrive.url}/console/${path}`);

  test('that has nothing to show says how something gets there', async () => {
    const { handle } = await redrive.engine.client.newTenant('newcomer');
    const page = await signedIn(handle);
    for (const [path, says] of Object.entries(EMPTY)) {
      await open(page, path);
      await page.getByText(says).first().waitFor();
      await expectAccessible(page);
    }
  });

  test('says what is on its way, and shows it when it comes', async () => {
    const page = await signedIn(scene.tenant.handle);
    const held: Route[] = [];
    let waiting = true;
    await page.route(/api\/v1\/retries\?/, (route) => (waiting ? void held.push(route) : route.continue()));
    await open(page, 'operations');
    await page.getByRole('status').getByText('Loading the operations…').waitFor();
    await expectAccessible(page);
    waiting = false;
    await Promise.all(held.splice(0).map((route) => route.continue()));
    await page.getByRole('row').nth(1).waitFor();
  });

  test('says what could not be loaded and why, and asks again on a click', async () => {
    const page = await signedIn(scene.tenant.handle, 'test', [/ERR_FAILED/]);
    await page.route(/api\/v1\/endpoints\?/, (route) => route.abort());
    await open(page, 'endpoints');
    await page.getByText('Could not load the endpoints: No answer').waitFor();
    await expectAccessible(page);
    await page.unrouteAll();
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('link', { name: 'theirs' }).waitFor();
  });

  test('names what a session may not see, and on a disabled control what it may not do', async () => {
    const page = await signedIn(scene.tenant.handle, 'reader');
    await open(page, 'audit');
    await page.getByText('This session may not see the audit').waitFor();
    await page.getByText('read:audit').first().waitFor();
    await open(page, 'settings');
    await page.getByText('This session may not see keys').waitFor();
    const needed: readonly [path: string | undefined, button: RegExp, scope: string][] = [
      ['recover', /^Freeze a plan/, 'recover:plans'],
      [paths.plan, /^Run/, 'recover:plans'],
      [paths.operation, /^Cancel…/, 'recover:plans'],
      [paths.delivery, /^Retry/, 'write:deliveries'],
      [paths.endpoint, /^Send a test/, 'edit:endpoints'],
      [paths.endpoint, /^Rotate the secret…/, 'rotate:secrets'],
      [paths.endpoint, /^Disable…/, 'write:endpoints'],
      ['settings', /^Change…/, 'admin'],
      ['settings', /^New key…/, 'write:keys'],
    ];
    for (const [path, name, scope] of needed) {
      await open(page, path);
      const button = page.getByRole('button', { name });
      await button.waitFor();
      expect(await button.getAttribute('aria-disabled')).toBe('true');
      expect(await button.textContent()).toContain(`Needs the scope ${scope},`);
      await button.click({ force: true });
      expect(await page.getByRole('dialog').count()).toBe(0);
    }
  });

  test("shows nothing of another tenant's, whatever the address says", async () => {
    const { handle } = await redrive.engine.client.newTenant('stranger');
    const page = await signedIn(handle, 'test', [/status of 40[34]/]);
    for (const path of Object.values(paths)) {
      await open(page, path);
      await page
        .getByText(/^Could not load .*Not found/)
        .first()
        .waitFor();
      expect(await page.getByText('theirs').count()).toBe(0);
    }
    // Nor by the name of a tenant in the address: a session of one tenant stays with it.
    await open(page, `operations?tenant=${scene.tenant.handle}`);
    await page.getByText('Could not load the console: Not found').waitFor();
  });
});
