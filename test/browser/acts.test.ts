import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { uuidIn } from '../support/api/retries.ts';
import { describeInBrowser } from '../support/browser/describe-in-browser.ts';
import { useBrowser } from '../support/browser/use-browser.ts';
import { useConsole } from '../support/browser/use-console.ts';
import { createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { eventually } from '../support/eventually.ts';
import { status } from '../support/receivers/receiver-behaviour.ts';

/** What a screen asks and says before an act, and what the act then takes. */

const LONG = 'x'.repeat(50);

describeInBrowser('an act', () => {
  const redrive = useConsole();
  const browser = useBrowser();
  let scene: Scene;

  beforeAll(async () => {
    scene = await createScene(redrive.engine, [status(500)], { handle: LONG });
    await scene.seed(5);
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

  async function planned(reason: string): Promise<string> {
    const { client } = redrive.engine;
    const { key } = scene.tenant;
    const body = { select: { filter: {} }, reason };
    const plan = await client.expect(201, 'POST', '/api/v1/retries/plans', { key, body });
    await eventually('the plan is made', async () => {
      const { body: shown } = await client.expect(200, 'GET', plan.body.links.self, { key });
      return shown.state === 'planned';
    });
    return plan.body.operationId;
  }

  test('on a delivery is asked for where any execution of it may have arrived', async () => {
    const { pool } = redrive.engine.database;
    const { body } = await redrive.engine.client.expect(200, 'GET', '/api/v1/deliveries', {
      key: scene.tenant.key,
    });
    const { id } = body.items[0];
    await pool.query('update execution_records set may_have_arrived = true where delivery_id = $1', [
      uuidIn('delivery', id),
    ]);
    const retry = await scene.retries.start({ select: { deliveryIds: [id] } });
    await scene.retries.ended(retry.id);
    const page = await at(`deliveries/${id}`);
    await page.getByRole('button', { name: 'Retry…', exact: true }).click();
    await page.getByRole('dialog').getByText('its receiver may get it twice').waitFor();
  });

  test('that cancels a plan says how many deliveries the plan has', async () => {
    const page = await at(`operations/${await planned('a plan to cancel')}`);
    await page.getByText('5 deliveries planned').waitFor();
    await page.getByRole('button', { name: 'Cancel…' }).click();
    await page.getByText('5 deliveries will not be sent').waitFor();
    await page.getByRole('button', { name: 'Cancel 5', exact: true }).waitFor();
  });

  test('that downloads items takes the states that are chosen', async () => {
    const { id } = await scene.retries.start({ select: { filter: {} } });
    const { counts } = await scene.retries.ended(id);
    expect(counts.failed).toBe(5);
    const page = await at(`operations/${id}/items?state=delivered`);
    const asked = page.waitForRequest(/\/items\?state=delivered$/);
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download as CSV' }).click();
    await asked;
    expect((await download).suggestedFilename()).toBe(`${id}-delivered.csv`);
  });

  test('has its place on the screen, however long the names and words of others are', async () => {
    const { client } = redrive.engine;
    const { key } = scene.tenant;
    await planned('y'.repeat(1_000));
    await client.expect(200, 'POST', `/api/v1/endpoints/${scene.endpoints[0].id}/disable`, { key });
    for (const path of ['', 'operations', `failures?key=${'k'.repeat(200)}`]) {
      const page = await at(path);
      await page.getByRole('heading', { level: 2 }).first().waitFor();
      if (path === '') {
        const card = page.getByRole('article');
        await card.waitFor();
        const over = (box: { scrollWidth: number; clientWidth: number }) => box.scrollWidth - box.clientWidth;
        expect(await card.evaluate(over)).toBe(0);
      }
      if (path === 'operations') await page.getByText('y'.repeat(1_000)).waitFor();
      const wide = await page
        .locator('main')
        .evaluate(
          (main: { scrollWidth: number; clientWidth: number }) => main.scrollWidth - main.clientWidth,
        );
      expect(wide).toBe(0);
      const tables = page.getByRole('table', { name: 'Operations' });
      if ((await tables.count()) > 0) {
        const [table, frame] = [await tables.first().boundingBox(), await page.locator('main').boundingBox()];
        expect(table?.width ?? 0).toBeLessThanOrEqual(frame?.width ?? 0);
      }
    }
  });

  test('on an endpoint is not led to by a number of which no list has just so many', async () => {
    const page = await at(`endpoints/${scene.endpoints[0].id}`);
    await page.getByText('Waiting', { exact: true }).waitFor();
    expect(await page.locator('main a[href*="pending"]').count()).toBe(0);
  });
});
