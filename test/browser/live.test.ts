import { expect, test } from '@jest/globals';
import type { Page, Request } from 'playwright-core';
import { describeInBrowser } from '../support/browser/describe-in-browser.ts';
import { useBrowser } from '../support/browser/use-browser.ts';
import { useCuttableConsole } from '../support/browser/use-cuttable-console.ts';
import { ALL_FAILURES, createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { eventually } from '../support/eventually.ts';
import { ok } from '../support/receivers/receiver-behaviour.ts';

/** What moves on the server moves on the screen: in every tab, by one stream, and behind a break of it. */

const STREAM = /\/api\/v1\/stream$/;

/** Notes each number of deliveries that the equation shows. */
const WATCH_DELIVERED = `{
  globalThis.delivered = [];
  const note = () => {
    const text = [...document.querySelectorAll('main p')].map((p) => p.textContent).find((t) => / expected =/.test(t));
    const number = Number((/([0-9,]+) delivered/.exec(text) ?? [])[1]?.replaceAll(',', ''));
    if (Number.isFinite(number) && number !== delivered.at(-1)) delivered.push(number);
  };
  new MutationObserver(note).observe(document.querySelector('main'), { childList: true, subtree: true, characterData: true });
}`;

describeInBrowser('a live screen', () => {
  const redrive = useCuttableConsole();
  const browser = useBrowser();

  async function signedIn(scene: Scene, expects: readonly RegExp[] = []): Promise<Page> {
    const page = await browser.newPage({ expects });
    await page.goto(await redrive.signedIn(scene.tenant.handle));
    await page.getByRole('heading', { name: 'Now', level: 1 }).waitFor();
    return page;
  }

  const isLive = (page: Page) => page.getByText('Live', { exact: true }).waitFor();
  const stands = (page: Page, state: string) =>
    page.locator('h1').locator('..').getByText(state, { exact: true }).waitFor();
  /** The equation of an operation, as a person reads it. */
  const equation = async (page: Page) => (await page.getByText('expected =').textContent()) ?? '';

  /** An operation that has sent next to nothing when it is paused. */
  async function paused(scene: Scene, items: number): Promise<string> {
    await scene.seed(items);
    const { id } = await scene.retries.start({ ...ALL_FAILURES, options: { ratePerSecond: 1 } });
    await scene.retries.control(id, 'pause');
    await scene.retries.reaches(id, ['paused']);
    return id;
  }

  test('is the same in eight tabs, which share one stream, and go on by another where its reader closes', async () => {
    const scene = await createScene(redrive.engine, [ok]);
    const id = await paused(scene, 12);
    const first = await signedIn(scene);
    const context = first.context();
    const readers: Page[] = [];
    const open = new Set<Request>();
    context.on('request', (request) => {
      if (!STREAM.test(request.url())) return;
      readers.push(request.frame().page());
      open.add(request);
    });
    context.on('requestfinished', (request) => void open.delete(request));
    context.on('requestfailed', (request) => void open.delete(request));
    const tabs = [first, ...(await Promise.all(Array.from({ length: 7 }, () => context.newPage())))];
    await Promise.all(tabs.map((tab) => tab.goto(`${redrive.url}/console/operations/${id}`)));
    await Promise.all(tabs.map((tab) => stands(tab, 'Paused')));
    await Promise.all(tabs.map(isLive));
    expect(open.size).toBe(1);
    // The tab that read it was loaded again with the others: another, or it again, has taken over since.
    const reader = readers.at(-1);
    const before = readers.length;
    expect(reader).toBeDefined();

    await reader?.close();
    await eventually('another tab reads the stream', () => readers.length === before + 1);
    const left = tabs.filter((tab) => tab !== reader);
    expect(left).toHaveLength(7);
    await Promise.all(left.map(isLive));

    await scene.retries.control(id, 'rate', { ratePerSecond: null });
    await scene.retries.control(id, 'resume');
    await Promise.all(left.map((tab) => stands(tab, 'Completed')));
    const seen = await Promise.all(left.map(equation));
    expect(new Set(seen).size).toBe(1);
    expect(seen[0]).toMatch(/^12 expected =.*12 delivered/);
    expect(readers).toHaveLength(before + 1);
    await scene.close();
  });

  test('goes on where the stream broke, and no number jumps back', async () => {
    const items = 60;
    const scene = await createScene(redrive.engine, [ok]);
    const id = await paused(scene, items);
    const page = await signedIn(scene, [/net::ERR_/]);
    await page.goto(`${redrive.url}/console/operations/${id}`);
    await stands(page, 'Paused');
    await isLive(page);
    await page.evaluate(WATCH_DELIVERED);
    const streams: Record<string, string>[] = [];
    page.on('request', (request) => {
      if (STREAM.test(request.url())) streams.push(request.headers());
    });
    await scene.retries.control(id, 'rate', { ratePerSecond: 10 });
    await scene.retries.control(id, 'resume');
    const seen = () => page.evaluate<number[]>('globalThis.delivered');
    await eventually('it moves', async () => Math.max(0, ...(await seen())) > 3);

    redrive.proxy.cut();
    await page.getByText('Asking every few seconds').waitFor();
    const atTheBreak = Math.max(...(await seen()));
    await eventually('more was delivered meanwhile', () => scene.sent() > atTheBreak + 5);
    redrive.proxy.forward();
    await isLive(page);
    await stands(page, 'Completed');
    await page.getByText(new RegExp(`^${items} expected =.*${items} delivered`)).waitFor();
    const numbers = await seen();
    expect(numbers.toSorted((one, other) => one - other)).toEqual(numbers);
    expect(streams.length).toBeGreaterThan(0);
    expect(streams[0]?.['last-event-id']).toMatch(/^.{16}$/);
    await scene.close();
  });
});
