import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeInBrowser } from '../support/browser/describe-in-browser.ts';
import { useBrowser } from '../support/browser/use-browser.ts';
import { useConsole } from '../support/browser/use-console.ts';
import { createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { eventually } from '../support/eventually.ts';
import { ok } from '../support/receivers/receiver-behaviour.ts';

/** A screen that shows the first of many says that there are more, and how one gets to them. */

describeInBrowser('the first of many', () => {
  const redrive = useConsole();
  const browser = useBrowser();
  let scene: Scene;
  const waiting: string[] = [];
  let running: string;

  beforeAll(async () => {
    const { client } = redrive.engine;
    scene = await createScene(redrive.engine, [ok]);
    await scene.seed(2);
    const { key, handle, id: tenantId } = scene.tenant;
    const notBefore = new Date(Date.now() + 3_600_000).toISOString();
    ({ id: running } = await scene.retries.start({ select: { filter: {} }, options: { notBefore } }));
    await scene.retries.reaches(running, ['running']);
    await client.expect(201, 'POST', '/api/v1/keys', {
      body: { tenantId, name: 'approver', actor: 'bob', scopes: ['read:deliveries', 'approve:retries'] },
    });
    await client.expect(200, 'PUT', '/api/v1/policy', {
      headers: { 'redrive-tenant': handle },
      body: { approveAbove: 0, approvers: { count: 1 } },
    });
    const select = { filter: {} };
    for (let n = 0; n < 53; n += 1) waiting.push((await scene.retries.start({ select })).id);
    for (const id of waiting) await scene.retries.reaches(id, ['awaiting_approval']);
    // Newer than all that waits and runs, as many as the screen has room for.
    for (let n = 0; n < 21; n += 1)
      await client.expect(201, 'POST', '/api/v1/retries/plans', { key, body: { select } });
  });
  afterAll(() => scene.close());

  async function signedIn(name?: string): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(await redrive.signedIn(scene.tenant.handle, name));
    await page.getByRole('heading', { name: 'Now', level: 1 }).waitFor();
    return page;
  }

  const open = (page: Page, path: string) => page.goto(`${redrive.url}/console/${path}`);

  test('operations on the first screen are those that run, and the others are one click away', async () => {
    const page = await signedIn();
    const rows = page.getByRole('table', { name: 'Operations' }).locator('tbody tr');
    await rows.first().waitFor();
    expect(await rows.first().locator(`a[href*="${running}"]`).count()).toBeGreaterThan(0);
    expect(await rows.count()).toBe(20);
    await page.getByRole('link', { name: /^and 31\+ more$/ }).click();
    await page.getByRole('heading', { name: 'Operations', level: 1 }).waitFor();
    await page.getByRole('button', { name: 'Show more' }).waitFor();
    expect(new URL(page.url()).searchParams.getAll('state')).not.toContain('planned');
  });

  test('plans that nobody has executed are counted apart from what is under way, each with its number', async () => {
    const page = await signedIn();
    await page.getByRole('heading', { name: 'Plans that nobody has executed' }).waitFor();
    const rows = page.getByRole('table', { name: 'Plans' }).locator('tbody tr');
    expect(await rows.count()).toBe(20);
    expect(await rows.first().locator('a[href*="/plans/pln_"]').textContent()).toMatch(/^\d+$/);
    await page.getByRole('link', { name: /^and 1 more$/ }).click();
    await page.getByRole('heading', { name: 'Operations', level: 1 }).waitFor();
    expect(new URL(page.url()).searchParams.getAll('state')).toEqual(['planned']);
  });

  test('approvals are counted with what is behind them, and the oldest is reached', async () => {
    const page = await signedIn('approver');
    const approvals = page.getByRole('link', { name: /^Approvals/ });
    await page.getByText('50+').waitFor();
    await approvals.click();
    await page.getByRole('heading', { name: 'A retry' }).nth(19).waitFor();
    await page.getByRole('button', { name: 'Show more (30+ left)' }).click();
    await page.getByRole('button', { name: 'Show more (10+ left)' }).click();
    await page.locator(`a[href*="${waiting[0]}"]`).first().waitFor();
    await eventually('nothing is left', async () => (await page.getByText(/Show more/).count()) === 0);
    expect(await page.getByRole('heading', { name: 'A retry' }).count()).toBe(53);
  });

  test('approvals are nothing to a session that can give none', async () => {
    const page = await signedIn();
    await open(page, 'operations');
    await page.getByRole('table', { name: 'Operations' }).waitFor();
    expect(await page.getByText('Waiting for your approval').count()).toBe(0);
    expect(await page.getByText('50+').count()).toBe(0);
    const approver = await signedIn('approver');
    await open(approver, 'operations');
    await approver.getByText('Waiting for your approval').waitFor();
  });

  test('keys are followed by the others', async () => {
    const { client } = redrive.engine;
    const { id: tenantId } = scene.tenant;
    for (let n = 0; n < 101; n += 1)
      await client.expect(201, 'POST', '/api/v1/keys', {
        body: {
          tenantId,
          name: n === 100 ? 'steward' : `key-${n}`,
          scopes: ['write:keys', 'read:deliveries'],
        },
      });
    const page = await signedIn('steward');
    await open(page, 'settings');
    const keys = page.getByRole('table', { name: 'Keys' }).locator('tbody tr');
    await keys.nth(99).waitFor();
    await page.getByRole('button', { name: 'Show more' }).click();
    // The first key of the tenant is the last of the list.
    await keys.getByRole('cell', { name: 'test', exact: true }).waitFor();
  });
});
