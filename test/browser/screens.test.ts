import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeInBrowser } from '../support/browser/describe-in-browser.ts';
import { expectAccessible, useBrowser } from '../support/browser/use-browser.ts';
import { useConsole } from '../support/browser/use-console.ts';
import { ALL_FAILURES, createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { eventually } from '../support/eventually.ts';
import { okWith } from '../support/receivers/receiver-behaviour.ts';
import { createSelfSignedCertificate } from '../support/receivers/self-signed-certificate.ts';

/** Each screen with something on it: in both themes, on a narrow screen, and with texts that would be code elsewhere. */

const HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>';

const HANDLE = 'their-handle';

/** How far the page is wider than its room, which the bar at its side is no part of. */
const SIDEWAYS = 'document.body.scrollWidth - document.body.clientWidth';

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
    const endpoint = await client.newEndpoint(key, {
      handle: HANDLE,
      url: scene.receivers[0]?.url('/hostile'),
      eventTypes: [HOSTILE],
    });
    const { cert, key: certKey } = createSelfSignedCertificate(HOSTILE.slice(0, 60));
    const certified = await client.newEndpoint(key, {
      handle: 'certified',
      url: 'https://127.0.0.1:1/',
      eventTypes: ['none'],
      caCertificate: cert,
      clientCertificate: { certificate: cert, key: certKey },
    });
    const event = { id: HOSTILE, type: HOSTILE, key: HOSTILE, source: HOSTILE, payload: { text: HOSTILE } };
    const sent = await client.expect(202, 'POST', '/api/v1/events', { key, body: event });
    const { body: shown } = await client.expect(200, 'GET', `/api/v1/events/${sent.body.eventId}`, { key });
    const delivery = shown.deliveries.find(
      ({ endpointId }: { endpointId: string }) => endpointId === endpoint.id,
    );
    await eventually('it is delivered', async () => {
      const { body } = await client.expect(200, 'GET', `/api/v1/deliveries/${delivery.id}`, { key });
      return body.state === 'delivered';
    });
    const plan = (await client.expect(201, 'POST', '/api/v1/retries/plans', { key, body: ALL_FAILURES }))
      .body;
    const { id: operation } = await scene.retries.start({
      ...ALL_FAILURES,
      reason: HOSTILE,
      ticket: HOSTILE,
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
      event: `events/${sent.body.eventId}`,
      endpoints: 'endpoints',
      endpoint: `endpoints/${endpoint.id}`,
      'endpoint with certificates': `endpoints/${certified.id}`,
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
    let text = '';
    await eventually(
      'all of it is there',
      async () => {
        text = (await page.locator('main').textContent()) ?? '';
        return !/Loading |counting…|Counting |Looking at deliveries/.test(text);
      },
      { otherwise: () => text.slice(0, 2_000) },
    );
  }

  test('is accessible in both themes, fits on a narrow screen, and nothing of it moves by itself', async () => {
    const page = await signedIn('auditor');
    for (const [name, path] of Object.entries(paths)) {
      await page.setViewportSize({ width: 1280, height: 900 });
      await page.goto(`${redrive.url}/console/${path}`);
      await settled(page);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        await expectAccessible(page);
      }
      expect({ name, moving: await page.evaluate('document.getAnimations().length') }).toEqual({
        name,
        moving: 0,
      });
      await page.setViewportSize({ width: 375, height: 800 });
      // A chart takes its new width a moment later.
      await eventually(`${name} is as wide as the page`, async () => (await page.evaluate(SIDEWAYS)) === 0);
      expect(await page.title()).toMatch(/Redrive$/);
    }
  });

  test('shows texts of others as texts, wherever they come from', async () => {
    const page = await signedIn('auditor');
    const open = async (name: string) => {
      await page.goto(`${redrive.url}/console/${paths[name]}`);
      await settled(page);
    };
    const shows = (text: string) =>
      eventually(`${page.url()} shows ${text}`, async () =>
        ((await page.locator('main').textContent()) ?? '').includes(text),
      );
    for (const name of ['failures', 'operations', 'operation', 'report', 'settings']) {
      await open(name);
      await shows(name === 'settings' ? HOSTILE.slice(0, 60) : HOSTILE);
    }
    await open('endpoint with certificates');
    // The name in a certificate has its signs escaped, as all tools show it.
    await page
      .getByRole('table', { name: 'Certificates' })
      .getByText('<img src=x onerror=')
      .first()
      .waitFor();
    await open('event');
    await page.getByRole('button', { name: 'Show the payload' }).click();
    await page.getByLabel('Payload').getByText(JSON.stringify(HOSTILE).slice(1, -1)).waitFor();
    await open('delivery');
    await page.getByText('Status 200').first().click();
    await page.getByLabel('Answer to attempt 1').getByText(HOSTILE).waitFor();
    // No handle can be like this, unless the server had a fault.
    await page.route(/api\/v1\/endpoints/, async (route) => {
      const response = await route.fetch();
      const body = (await response.text()).replaceAll(HANDLE, JSON.stringify(HOSTILE).slice(1, -1));
      await route.fulfill({ response, body });
    });
    await open('endpoint');
    await page.getByRole('heading', { name: HOSTILE, level: 1 }).waitFor();
    await open('endpoints');
    await page.getByRole('link', { name: HOSTILE }).waitFor();
    await page.goto(`${redrive.url}/console/failures?key=${encodeURIComponent(HOSTILE)}`);
    await settled(page);
    await shows(HOSTILE);
    expect(await page.title()).toMatch(/Redrive$/);
    expect(await page.locator('main img, main script').count()).toBe(0);
  });

  test('shows times in UTC, or local by one switch', async () => {
    const page = await browser.newPage({ timezoneId: 'Asia/Kolkata' });
    await page.goto(await redrive.signedIn(scene.tenant.handle));
    await page.getByRole('heading', { name: 'Now', level: 1 }).waitFor();
    await page.goto(`${redrive.url}/console/${paths.operation}`);
    await settled(page);
    const began = page.locator('dd time').first();
    expect(await began.textContent()).toMatch(/ UTC$/);
    const at = Date.parse((await began.getAttribute('datetime')) ?? '');
    await page.getByRole('button', { name: 'Times: UTC' }).click();
    const local = (await began.textContent()) ?? '';
    expect(local).toMatch(/ GMT\+5:30$/);
    const fiveAndAHalfHoursLater = new Date(at + 19_800_000).toISOString().slice(0, 19).replace('T', ' ');
    expect(local).toContain(fiveAndAHalfHoursLater);
  });

  test('shows only the rows of a long list that are in sight', async () => {
    await scene.seed(3_000);
    const page = await signedIn('auditor');
    await page.goto(`${redrive.url}/console/failures`);
    const rows = page.locator('figure[aria-label="Deliveries"] tr[data-row]');
    await rows.first().waitFor();
    for (let n = 0; n < 20; n += 1) {
      await page.evaluate(`document.querySelector('figure[aria-label="Deliveries"]').scrollTop += 4000`);
      expect(await rows.count()).toBeLessThanOrEqual(100);
    }
    // On a narrow screen its columns share what there is.
    await page.setViewportSize({ width: 375, height: 800 });
    const heads = 'thead th:not([class*=wide])';
    const share = await page.evaluate(
      `(() => { const table = document.querySelector('figure[aria-label="Deliveries"] table');
        return [...table.querySelectorAll('${heads}')].reduce((sum, e) => sum + e.clientWidth, 0) / table.clientWidth; })()`,
    );
    expect(Number(share)).toBeGreaterThan(0.95);
  });
});
