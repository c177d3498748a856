import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeInBrowser } from '../support/browser/describe-in-browser.ts';
import { useBrowser } from '../support/browser/use-browser.ts';
import { useConsole } from '../support/browser/use-console.ts';
import { createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { status } from '../support/receivers/receiver-behaviour.ts';

/** A list is as long as it is: it scrolls to its end, and only what is in sight is in the document. */

const DELIVERIES = 50_000;

/** Scrolls down, frame by frame, until the list has no more; what was seen on the way. */
const SCROLL_TO_THE_END = `(async () => {
  const frame = document.querySelector('figure[aria-label="Deliveries"]');
  const table = frame.querySelector('table');
  let [most, frames] = [0, 0];
  const known = () => Number(table.getAttribute('aria-rowcount'));
  while (known() === -1 || frame.scrollTop + frame.clientHeight < frame.scrollHeight - 1) {
    frame.scrollTop = frame.scrollHeight;
    await new Promise(requestAnimationFrame);
    most = Math.max(most, frame.querySelectorAll('tr').length);
    frames += 1;
  }
  const rows = [...frame.querySelectorAll('tr[data-row]')];
  return { most, frames, known: known(), last: Number(rows.at(-1).dataset.row) };
})()`;

describeInBrowser('a long list', () => {
  const redrive = useConsole();
  const browser = useBrowser();
  let scene: Scene;

  beforeAll(async () => {
    scene = await createScene(redrive.engine, [status(503)]);
    await scene.seed(DELIVERIES);
  });
  afterAll(() => scene.close());

  async function failures(): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(await redrive.signedIn(scene.tenant.handle));
    await page.getByRole('heading', { name: 'Now', level: 1 }).waitFor();
    await page.goto(`${redrive.url}/console/failures`);
    await page.locator('figure[aria-label="Deliveries"] tr[data-row]').first().waitFor();
    return page;
  }

  test('scrolls to its end with at most 100 rows in the document', async () => {
    const page = await failures();
    const { most, known, last } = await page.evaluate<Record<string, number>>(SCROLL_TO_THE_END);
    // Behind the head; and the rows that hold the place of the others are none.
    expect({ known, last }).toEqual({ known: DELIVERIES + 1, last: DELIVERIES - 1 });
    expect(most).toBeLessThanOrEqual(100);
    const links = await page.locator('figure[aria-label="Deliveries"] tr[data-row] a').count();
    expect(links).toBeGreaterThan(0);
  });
});
