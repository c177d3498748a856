import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeInBrowser } from '../support/browser/describe-in-browser.ts';
import { expectAccessible, useBrowser } from '../support/browser/use-browser.ts';
import { useConsole } from '../support/browser/use-console.ts';
import { ALL_FAILURES, createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { eventually } from '../support/eventually.ts';
import { patient } from '../support/patience.ts';
import { ok } from '../support/receivers/receiver-behaviour.ts';

/** From a selection to a plan, and from a plan to a draft of the same: what is said is what is planned. */

/** So many are delivered, and so many failed. */
const DELIVERED = 3;
const FAILED = 280;

describeInBrowser('a recovery on the screen', () => {
  const redrive = useConsole();
  const browser = useBrowser();
  let scene: Scene;

  beforeAll(async () => {
    scene = await createScene(redrive.engine, [ok]);
    await scene.seed(DELIVERED);
    await scene.retries.ended((await scene.retries.start(ALL_FAILURES)).id);
    await scene.seed(FAILED);
  });
  afterAll(() => scene.close());

  const get = async (path: string) =>
    (await redrive.engine.client.expect(200, 'GET', path, { key: scene.tenant.key })).body;

  async function at(path: string, expects: readonly RegExp[] = []): Promise<Page> {
    const page = await browser.newPage({ expects });
    await page.goto(await redrive.signedIn(scene.tenant.handle));
    await page.getByRole('heading', { name: 'Now', level: 1 }).waitFor();
    await page.goto(`${redrive.url}/console/${path}`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    return page;
  }

  /** A plan that is made, as the API shows it. */
  async function planned(body: object) {
    const { key } = scene.tenant;
    const { id } = (await redrive.engine.client.expect(201, 'POST', '/api/v1/retries/plans', { key, body }))
      .body;
    return frozen(id);
  }

  async function frozen(id: string) {
    let plan = await get(`/api/v1/retries/plans/${id}`);
    await eventually('the plan is made', async () => {
      plan = await get(`/api/v1/retries/plans/${id}`);
      return plan.state !== 'planning';
    });
    return plan;
  }

  /** Freezes what is on the screen. */
  async function freeze(page: Page) {
    const before = page.url();
    await page.getByRole('button', { name: 'Freeze a plan' }).click();
    await page.waitForURL((url) => url.href !== before && url.searchParams.has('plan'));
    return frozen(new URL(page.url()).searchParams.get('plan') ?? '');
  }

  const fact = (page: Page, name: string) =>
    page
      .locator('dl > div')
      .filter({ has: page.getByText(name, { exact: true }) })
      .locator('dd');

  test('goes from a plan to a draft of the same, and back to a plan of the same', async () => {
    const { items } = await get('/api/v1/deliveries?state=failed&limit=2');
    const body = {
      select: { eventIds: items.map((item: { event: { id: string } }) => item.event.id) },
      mode: 'replay',
      newIdentity: true,
      options: {
        ratePerSecond: 7,
        maxConcurrency: 3,
        notBefore: new Date(Date.now() + 3_600_000).toISOString(),
        giveUpAfterMs: 7_200_000,
        onAmbiguous: 'hold',
        includeResent: true,
      },
      reason: 'the words of a customer',
      ticket: 'OPS-7',
    };
    const plan = await planned(body);
    const page = await at(`recover?plan=${plan.id}`);
    await fact(page, 'Kind')
      .getByText(/a replay/)
      .waitFor();
    await fact(page, 'Identity')
      .getByText(/new deliveries/)
      .waitFor();
    await fact(page, 'Given up after').getByText('2 h').waitFor();
    await page.getByRole('link', { name: 'Change it' }).click();
    await page.getByText('All deliveries of 2 events.').waitFor();
    expect(await page.getByLabel('a new delivery of its own').isChecked()).toBe(true);
    await page.getByRole('button', { name: 'Remove Requests at a time 3 at most' }).waitFor();
    expect(await page.getByLabel('Reason').inputValue()).toBe(body.reason);
    expect(page.url()).not.toContain('words');
    await expectAccessible(page);
    const again = await freeze(page);
    expect(again.id).not.toBe(plan.id);
    for (const member of ['select', 'options', 'kind', 'target', 'newIdentity', 'reason', 'ticket'])
      expect({ [member]: again[member] }).toEqual({ [member]: plan[member] });
    expect(again.count).toEqual(plan.count);
  });

  test('refuses a change of what no address can say, with the reason', async () => {
    const { items } = await get(`/api/v1/deliveries?state=failed&limit=${FAILED}`);
    const plan = await planned({
      select: { deliveryIds: items.map(({ id }: { id: string }) => id) },
    });
    const page = await at(`recover?plan=${plan.id}`);
    const change = page.getByRole('button', { name: /^Change it/ });
    await change.waitFor();
    expect(await change.getAttribute('aria-disabled')).toBe('true');
    expect(await change.textContent()).toContain('too long for an address');
    await page.getByText(`${FAILED} deliveries that you picked.`).waitFor();
  });

  test('of any state plans just as many as it says, and so does the line to copy', async () => {
    const page = await at('recover?state=any');
    await page.getByText('All deliveries, whatever their state.').waitFor();
    await page.getByText(`${DELIVERED + FAILED} match now`).waitFor();
    await page.getByText(/redrive retry plan .*--state delivered/).waitFor();
    const plan = await freeze(page);
    expect(plan.count).toMatchObject({ items: DELIVERED + FAILED, sends: FAILED });
    const risk = page.getByRole('row', { name: /Delivered already/ });
    await risk.getByText('a retry leaves them alone').waitFor();
  });

  test('says of a replay that what was delivered is sent again', async () => {
    const plan = await planned({ select: { filter: { state: ['delivered'] } }, mode: 'replay' });
    const page = await at(`recover?plan=${plan.id}`);
    const risk = page.getByRole('row', { name: /Delivered already/ });
    await risk.getByText('a replay sends them again, with the same webhook-id').waitFor();
    expect(await page.getByText('leaves them alone').count()).toBe(0);
  });

  test('reads as one of failures where no state was named', async () => {
    const plan = await planned({ select: { filter: { from: '2020-01-01T00:00:00Z' } } });
    const page = await at(`recover?plan=${plan.id}`);
    await page.getByText('All deliveries that are failed, accepted since 2020-01-01 00:00:00 UTC.').waitFor();
  });

  test('takes no value of the filter that is none, and from an address it matches nothing', async () => {
    const page = await at('failures');
    await page.getByText(`${FAILED} matching`).waitFor();
    await page.getByLabel('Filter by').selectOption('httpStatus');
    await page.getByLabel('Status', { exact: true }).fill('5xx');
    await page.getByRole('button', { name: 'Add' }).click();
    await page.getByRole('alert').getByText('“5xx” is no such value: it has to be three digits').waitFor();
    expect(page.url()).not.toContain('5xx');
    await expectAccessible(page);
    await page.getByLabel('Status', { exact: true }).fill('500');
    await page.getByRole('button', { name: 'Add' }).click();
    await page.getByRole('button', { name: 'Remove Status 500' }).waitFor();
    await page.getByText(`${FAILED} matching`).waitFor();

    await page.goto(`${redrive.url}/console/failures?httpStatus=5xx&from=yesterday`);
    await page.getByText('This filter matches nothing', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Remove Accepted from yesterday (no such value)' }).click();
    const recover = page.getByRole('button', { name: /^Recover all that match/ });
    expect(await recover.getAttribute('aria-disabled')).toBe('true');
    expect(await page.locator('figure[aria-label="Deliveries"]').count()).toBe(0);
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Remove Status 5xx (no such value)' }).click();
    await page.getByText(`${FAILED} matching`).waitFor();

    await page.goto(`${redrive.url}/console/recover?httpStatus=5xx`);
    await page.getByText('This filter matches nothing', { exact: true }).waitFor();
    const freezing = page.getByRole('button', { name: /^Freeze a plan/ });
    expect(await freezing.getAttribute('aria-disabled')).toBe('true');
  });

  test('is reached by either spelling of its id', async () => {
    const { id, operationId } = await planned({ select: { filter: { state: ['failed'] } } });
    const page = await at(`operations/${id}`);
    const plan = page.getByText(`redrive retry execute ${id}`);
    await plan.waitFor();
    expect(new URL(page.url()).searchParams.get('plan')).toBe(id);
    await page.goto(`${redrive.url}/console/recover?plan=${operationId}`);
    await plan.waitFor();
    for (const path of [`operations/${id}/items?state=failed`, `plans/${operationId}/items`]) {
      await page.goto(`${redrive.url}/console/${path}`);
      await page.getByRole('table', { name: 'Deliveries of the plan' }).getByRole('row').nth(1).waitFor();
    }
  });

  test('has lists whose filters match nothing where a value of the address is none', async () => {
    const { id, operationId } = await planned({ select: { filter: { state: ['failed'] } } });
    const none = async (page: Page, ...says: string[]) => {
      await page.getByText('This filter matches nothing', { exact: true }).waitFor();
      for (const text of says) await page.getByText(text).waitFor();
      expect(await page.getByRole('table').count()).toBe(0);
      await expectAccessible(page);
      for (let left = says.length; left > 0; left--) {
        await page.getByRole('button', { name: 'Take it away' }).first().click();
        await eventually(
          'it is taken away',
          async () => (await page.getByRole('button', { name: 'Take it away' }).count()) < left,
        );
      }
    };
    const page = await at('operations?state=lost&state=planned&kind=resend');
    await none(page, 'State: “lost” is no such value', 'Kind: “resend” is no such value');
    await page.locator(`a[href*="${operationId}"]`).first().waitFor();
    expect(page.url()).toMatch(/operations\?state=planned$/);
    await page.goto(`${redrive.url}/console/operations/${operationId}/items?state=lost`);
    await none(page, 'State: “lost” is no such value');
    await page.getByText('No items').waitFor();
    await page.goto(`${redrive.url}/console/plans/${id}/items?risk=lost`);
    await none(page, 'Risk: “lost” is no such value');
    await page.getByRole('table', { name: 'Deliveries of the plan' }).waitFor();
  });

  test('leads from a time on the first screen to what was tried in it', async () => {
    const page = await at('');
    const plot = page.locator('.u-over');
    await plot.waitFor();
    // What stands above the chart comes meanwhile and moves it: a drag that has missed it is tried again.
    await eventually('a drag over the chart leads to a list', async () => {
      await plot.scrollIntoViewIfNeeded();
      const box = await plot.boundingBox();
      if (!box) return false;
      const y = box.y + box.height / 2;
      await page.mouse.move(box.x + box.width * 0.6, y);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width - 1, y, { steps: 5 });
      await page.mouse.up();
      return page.waitForURL(/\/console\/failures\?/, { timeout: patient(2_000) }).then(
        () => true,
        () => false,
      );
    });
    expect([...new URL(page.url()).searchParams.keys()].sort()).toEqual([
      'lastAttemptAfter',
      'lastAttemptBefore',
    ]);
    await page.getByText(`${FAILED} matching`).waitFor();
  });

  test('is shown to those who approve it: its identity, how it goes, and its endpoints', async () => {
    const { client } = redrive.engine;
    const { key, handle } = scene.tenant;
    await client.expect(200, 'PUT', '/api/v1/policy', {
      headers: { 'redrive-tenant': handle },
      body: { approveAbove: 1, approvers: { count: 1 } },
    });
    const plan = await planned({
      select: { filter: { state: ['delivered'] } },
      mode: 'replay',
      newIdentity: true,
      options: { maxConcurrency: 2 },
    });
    await client.expect(202, 'POST', `/api/v1/retries/plans/${plan.id}/execute`, {
      key,
      body: { planHash: plan.planHash },
    });
    await scene.retries.reaches(plan.operationId, ['awaiting_approval']);
    const page = await at('approvals');
    await fact(page, 'Kind')
      .getByText(/a replay/)
      .waitFor();
    await fact(page, 'Identity')
      .getByText(/new deliveries/)
      .waitFor();
    await fact(page, 'Requests at a time').getByText('2 at most').waitFor();
    await page.getByRole('table', { name: 'Endpoints of the plan' }).waitFor();
    await expectAccessible(page);
  });
});
