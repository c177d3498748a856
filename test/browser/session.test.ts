import { beforeAll, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeInBrowser } from '../support/browser/describe-in-browser.ts';
import { found } from '../support/browser/found.ts';
import { useBrowser } from '../support/browser/use-browser.ts';
import { useConsole } from '../support/browser/use-console.ts';

/** The console that is served, with a session of its own: what it keeps, and how it notices that it is over. */

/** Chromium writes an error for each answer of a refusal. */
const REFUSAL = /status of 401/;

describeInBrowser('a session in the console', () => {
  const redrive = useConsole();
  const browser = useBrowser();
  let key: string;

  beforeAll(async () => {
    ({ key } = await redrive.engine.client.newTenant('acme'));
  });

  const shown = (page: Page, name: string) => page.getByRole('heading', { name, level: 1 }).waitFor();

  async function signedIn(tenant: string): Promise<Page> {
    const page = await browser.newPage({ expects: [REFUSAL] });
    await page.goto(await redrive.signedIn(tenant));
    await shown(page, 'Now');
    return page;
  }

  /** Revokes all keys of a tenant, as its administrator would. */
  async function revokeKeys(handle: string): Promise<void> {
    const { client } = redrive.engine;
    const headers = { 'redrive-tenant': handle };
    const { body } = await client.expect(200, 'GET', '/api/v1/keys', { headers });
    for (const { id } of body.items) await client.expect(204, 'DELETE', `/api/v1/keys/${id}`, { headers });
  }

  test('keeps neither the key that was pasted nor its cookie, on no screen', async () => {
    const page = await browser.newPage({ expects: [REFUSAL] });
    await page.goto(`${redrive.url}/console/failures?state=failed`);
    await page.getByLabel('API key or token').fill(key);
    await page.getByRole('button', { name: 'Sign in' }).click();
    // The address that was asked for is still there.
    await shown(page, 'Failures');
    const [cookie] = await page.context().cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict' });
    for (const path of ['', 'operations', 'endpoints', 'settings']) {
      await page.goto(`${redrive.url}/console/${path}`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      const kept = await found(page);
      for (const secret of [key, cookie?.value ?? '?']) expect(kept).not.toContain(secret);
    }
    for (const secret of [key, cookie?.value ?? '?'])
      expect(redrive.engine.log.join('')).not.toContain(secret);
  });

  test('is over by itself on a screen that is only looked at, when its key is revoked', async () => {
    await redrive.engine.client.newTenant('beta');
    const page = await signedIn('beta');
    await page.getByText('Live', { exact: true }).waitFor();
    await revokeKeys('beta');
    // Its stream ends and its next question is refused: neither needs a click.
    await shown(page, 'Sign in to Redrive');
    await page.getByText('revoked').first().waitFor();
    expect(await page.getByRole('heading', { name: 'Now', level: 1 }).count()).toBe(0);
  });

  test('that is signed out of in one tab is over in the others, and going back shows nothing of it', async () => {
    const page = await signedIn('acme');
    const tab = await page.context().newPage();
    await tab.goto(`${redrive.url}/console/settings`);
    await shown(tab, 'Settings');
    await page.getByRole('link', { name: 'Operations', exact: true }).first().click();
    await shown(page, 'Operations');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await shown(page, 'Sign in to Redrive');
    await page.goBack();
    await shown(page, 'Sign in to Redrive');
    // Nobody has touched it.
    await shown(tab, 'Sign in to Redrive');
  });

  test('that becomes another in one tab is another in the others, by name and in what is shown', async () => {
    const { client } = redrive.engine;
    const { id: tenantId } = await client.newTenant('gamma');
    for (const [name, actor] of [
      ['asks', 'ann'],
      ['approves', 'bob'],
    ])
      await client.expect(201, 'POST', '/api/v1/keys', {
        body: { tenantId, name, actor, scopes: ['read:deliveries', 'read:endpoints'] },
      });
    const page = await browser.newPage({ expects: [REFUSAL] });
    await page.goto(await redrive.signedIn('gamma', 'asks'));
    await page.getByTitle(/^gamma, as .*ann$/).waitFor();
    const tab = await page.context().newPage();
    await tab.goto(await redrive.signedIn('gamma', 'approves'));
    await tab.getByTitle(/^gamma, as .*bob$/).waitFor();
    // Nobody touches the first tab.
    await page.getByTitle(/^gamma, as .*bob$/).waitFor();
    await tab.getByRole('button', { name: 'Sign out' }).click();
    await shown(page, 'Sign in to Redrive');
  });
});
