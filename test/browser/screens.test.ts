import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeInBrowser } from '../support/browser/describe-in-browser.ts';
import { expectAccessible, useBrowser } from '../support/browser/use-browser.ts';
import { useConsole } from '../support/browser/use-console.ts';
import { ALL_FAILURES, createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { eventually } from '../support/eventually.ts';
import { okWith } from '../support/receivers/receiver-behaviour.ts';

/** Each screen with something on it: in both themes, on a narrow screen, and with texts that would be code elsewhere. */

const HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>';

describeInBrowser('every screen', () => {
  const redrive = useConsole();
  const browser = useBrowser();
  let scene: Scene;
  let paths: Record<string, string>;

  beforeAll(async () => {
    const { engine } = redrive;
    const { client } = engine;
    scene = await createScene(engine, [okWith(HOSTILE), okWith(HOSTILE)]);
    await scene.seed(30);
    const { key, id: tenantId } = scene.tenant;
    await client.expect(201, 'POST', '/api/v1/keys', {
      body: {
        tenantId,
        name: 'auditor',
        scopes: ['read:deliveries', 'read:endpoints', 'read:audit', 'write:deliveries', 'write:keys'],
      },
    });
    await client.expect(201, 'POST', '/api/v1/keys', {
      body: { tenantId, name: HOSTILE.slice(0, 60), scopes: ['read:deliveries'] },
    });
    const event = { id: HOSTILE, type: 'invoice.paid', key: HOSTILE, payload: { text: HOSTILE } };
    const sent = await client.expect(202, 'POST', '/api/v1/events', { key, body: event });
    const { body: shown } = await client.expect(200, 'GET', `/api/v1/events/${sent.body.eventId}`, { key });
    const [delivery] = shown.deliveries;
    await eventually('it is delivered', async () => {
      const { body } = await client.expect(200, 'GET', `/api/v1/deliveries/${delivery.id}`, { key });
      return body.state === 'delivered';
    });
    const plan = (await client.expect(201, 'POST', '/api/v1/retries/plans', { key, body: ALL_FAILURES }))
      .body;
    const { id: operation } = await scene.retries.start({
      ...ALL_FAILURES,
      reason: HOSTILE,
      ticket: 'OPS-42',
    });
    await scene.retries.ended(operation);
    paths = {
      now: '',
      failures: 'failures?state=any',
      nothing: 'failures?key=none',
      recover: 'recover',
      plan: `recover?plan=${plan.id}`,
      'items of a plan': `plans/${plan.id}/items`,
      operations: 'operations',
      operation: `operations/${operation}`,
      items: `operations/${operation}/items`,
      report: `operations/${operation}/report`,
      approvals: 'approvals',
      delivery: `deliveries/${delivery.id}`,
      endpoints: 'endpoints',
      endpoint: `endpoints/${scene.endpoints[0].id}`,
      audit: 'audit',
      settings: 'settings',
    };
  });
  afterAll(() => scene.close());

  async function signedIn(name: string): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(await redrive.signedIn(scene.tenant.handle, name));
    await page.getByRole('heading', { name: 'Now', level: 1 }).waitFor();
    return page;
  }

  async function settled(page: Page): Promise<void> {
    await page.getByRole('heading', { level: 1 }).waitFor();
    await eventually('all of it is there', async () => {
      const text = (await page.locator('main').textContent()) ?? '';
      return !/Loading |counting…|Counting |Looking at/.test(text);
    });
  }

  test('is accessible in both themes, fits on a narrow screen, and shows texts as texts', async () => {
    const page = await signedIn('auditor');
    for (const [name, path] of Object.entries(paths)) {
      await page.setViewportSize({ width: 1280, height: 900 });
      await page.goto(`${redrive.url}/console/${path}`);
      await settled(page);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        await expectAccessible(page);
      }
      await page.setViewportSize({ width: 375, height: 800 });
      const wide = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      expect({ name, wide }).toEqual({ name, wide: 0 });
      expect(await page.title()).toMatch(/Redrive$/);
    }
  });

  test('names what a session may not do, and what it may not see', async () => {
    const page = await signedIn('test');
    await page.goto(`${redrive.url}/console/audit`);
    await page.getByText('This session may not see the audit').waitFor();
    await page.goto(`${redrive.url}/console/settings`);
    const change = page.getByRole('button', { name: /^Change…/ });
    await change.waitFor();
    expect(await change.getAttribute('aria-disabled')).toBe('true');
    expect(await change.textContent()).toContain('Needs the scope admin');
  });

  test("shows nothing of another tenant's, whatever the address says", async () => {
    const other = await redrive.engine.client.newTenant('stranger');
    const page = await browser.newPage({ expects: [/status of 404/] });
    await page.goto(await redrive.signedIn(other.handle));
    await page.getByRole('heading', { name: 'Now', level: 1 }).waitFor();
    for (const name of ['operation', 'delivery', 'endpoint', 'plan'] as const) {
      await page.goto(`${redrive.url}/console/${paths[name]}`);
      await page
        .getByText(/^Could not load .*Not found/)
        .first()
        .waitFor();
    }
  });

  test('shows only the rows of a long list that are in sight', async () => {
    await scene.seed(3_000);
    const page = await signedIn('auditor');
    await page.goto(`${redrive.url}/console/failures`);
    const rows = page.locator('figure tr[data-row]');
    await rows.first().waitFor();
    for (let n = 0; n < 20; n += 1) {
      await page.evaluate(`document.querySelector('figure[aria-label="Deliveries"]').scrollTop += 4000`);
      expect(await rows.count()).toBeLessThanOrEqual(100);
    }
  });
});
