import { setTimeout as delay } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { consoleAddress, heapMiB, longestTask, rendererCpuMs, withBrowser } from '../browser.ts';
import { loadOutage } from '../outage-table.ts';
import type { Bench } from '../scenario.ts';
import { ALL_FAILURES, newScene, type Scene } from '../scene.ts';

const OPENINGS = 9;
const PER_SECOND = 500;
const WATCHED_MS = 30_000;
const TRACED_MS = 10_000;

/**
 * What the console costs the browser that shows it: the first paint of a tenant with failures, an operation that is watched
 * while it runs, and a list of 1M deliveries that is scrolled to its end.
 */
export async function consoleScreens(bench: Bench): Promise<void> {
  await bench.rig.setWorkers(1);
  await opening(bench);
  await watching(bench);
  await scrolling(bench);
}

/** By the link that `npm start` prints, with nothing in the browser's caches. */
async function opening(bench: Bench): Promise<void> {
  const { rig, progress } = bench;
  const scene = await newScene(rig, { endpoints: 3 });
  await scene.seed(200);
  await rig.client.expect(200, 'POST', `/api/v1/endpoints/${scene.endpointIds[0]}/disable`, {
    key: scene.key,
  });
  await withBrowser(async (browser) => {
    for (let round = 1; round <= OPENINGS; round++) {
      const step = progress.step(`console, first paint (${round} of ${OPENINGS})`);
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
      await context.addInitScript(NOTE_MEANING);
      const page = await context.newPage();
      await page.goto(await consoleAddress(rig, scene.handle));
      // Not by a function that waits in the page, which its policy refuses.
      while (!(await page.evaluate('globalThis.meaningful !== undefined'))) await delay(50);
      const figures = await page.evaluate<{ firstMs: number; meaningfulMs: number }>(
        `({ firstMs: performance.getEntriesByName('first-contentful-paint')[0].startTime, meaningfulMs: meaningful })`,
      );
      await context.close();
      step.end();
      bench.record({ name: 'console, opened', round, figures: { paintMs: figures } });
    }
  });
}

/** An operation at a rate of its own, as its screen shows it. */
async function watching(bench: Bench): Promise<void> {
  const { rig, size, progress } = bench;
  const scene = await newScene(rig, { endpoints: 20 });
  await scene.seed(size(100_000, { least: 60 * PER_SECOND }));
  const { id } = await scene.retries.start({ ...ALL_FAILURES, options: { ratePerSecond: PER_SECOND } });
  await scene.retries.reaches(id, ['running'], 120_000);
  const step = progress.step(`console, watching ${PER_SECOND} items a second`);
  await withBrowser(async (browser) => {
    const page = await open(bench, browser, scene, `operations/${id}`);
    await page.getByText('Live', { exact: true }).waitFor();
    await page.evaluate(COUNT_COMMITS);
    const before = await rendererCpuMs(browser);
    const deliveredBefore = (await scene.retries.show(id)).counts.delivered;
    const beganMs = performance.now();
    await delay(WATCHED_MS);
    const cpuShare = ((await rendererCpuMs(browser)) - before) / (performance.now() - beganMs);
    const perSecond =
      (((await scene.retries.show(id)).counts.delivered - deliveredBefore) * 1_000) /
      (performance.now() - beganMs);
    const seen = await page.evaluate<{ commits: number; most: number; longMs: number }>('globalThis.seen()');
    const task = await longestTask(page, () => delay(TRACED_MS));
    bench.record({
      name: 'console, an operation watched',
      round: 1,
      figures: {
        perSecond,
        cpuShare,
        commits: { perSecond: (seen.commits * 1_000) / WATCHED_MS, mostInASecond: seen.most },
        taskMs: { wall: task.wallMs, cpu: task.cpuMs, longTask: seen.longMs },
      },
    });
  });
  await scene.retries.control(id, 'cancel');
  await scene.retries.ended(id, 120_000);
  step.end();
}

/** From the first row to the last, frame by frame. */
async function scrolling(bench: Bench): Promise<void> {
  const { rig, size, progress } = bench;
  const rows = size(1_000_000);
  const scene = await newScene(rig, { endpoints: 20 });
  const loading = progress.step(`loading ${rows.toLocaleString('en-US')} deliveries`);
  await loadOutage(
    rig.pool,
    { ...scene, part: rows / 10, kind: 'outage' },
    { from: 0, to: rows, at: (done) => progress.at(done, rows) },
  );
  await rig.pool.query('vacuum analyze');
  loading.end();
  const step = progress.step('console, scrolling to the end');
  await withBrowser(async (browser) => {
    const page = await open(bench, browser, scene, 'failures?state=any');
    await page.locator('figure[aria-label="Deliveries"] tr[data-row]').first().waitFor();
    const beganMs = performance.now();
    const cpuBefore = await rendererCpuMs(browser);
    await page.evaluate(BEGIN_SCROLLING);
    const task = await longestTask(page, () => delay(TRACED_MS));
    let at = { ended: false, most: 0, known: 0, longMs: 0 };
    while (!at.ended) {
      await delay(1_000);
      at = await page.evaluate('globalThis.scrolled');
      progress.at(at.known, rows);
    }
    const seconds = (performance.now() - beganMs) / 1_000;
    const cpuMs = (await rendererCpuMs(browser)) - cpuBefore;
    if (at.known !== rows) throw new Error(`the list ends at ${at.known} of ${rows}`);
    bench.record({
      name: 'console, 1M rows scrolled',
      round: 1,
      figures: {
        seconds,
        rowsInDocument: at.most,
        cpuMsPerPage: cpuMs / (rows / 100),
        taskMs: { wall: task.wallMs, cpu: task.cpuMs, longTask: at.longMs },
        heapMiB: await heapMiB(page),
      },
    });
  });
  step.end();
}

async function open({ rig }: Bench, browser: Browser, scene: Scene, path: string): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.goto(await consoleAddress(rig, scene.handle));
  await page.getByRole('heading', { name: 'Now', level: 1 }).waitFor();
  await page.goto(`${rig.url}/console/${path}`);
  return page;
}

/** Notes when the screen says what is broken: its outages and its numbers are there, and painted. */
const NOTE_MEANING = `{
  const look = () => {
    const main = document.querySelector('main')?.innerText ?? '';
    const told = /Still failing|Back/.test(main) && /Failed/.test(main) && !/…\\s*\\n(Failed|Unknown|Pending)/.test(main);
    if (!told) return requestAnimationFrame(look);
    requestAnimationFrame(() => setTimeout(() => { globalThis.meaningful = performance.now(); }));
  };
  requestAnimationFrame(look);
}`;

/** Long tasks, as the browser itself tells them. */
const NOTE_LONG_TASKS = `
  globalThis.longMs = 0;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longMs = Math.max(longMs, duration);
  }).observe({ type: 'longtask' });`;

/** Each commit that changes something on the screen is one call of an observer. */
const COUNT_COMMITS = `{
  ${NOTE_LONG_TASKS}
  const times = [];
  new MutationObserver(() => times.push(performance.now())).observe(document.body,
    { childList: true, subtree: true, characterData: true, attributes: true });
  globalThis.seen = () => ({
    commits: times.length,
    most: Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + 1000).length)),
    longMs,
  });
}`;

const BEGIN_SCROLLING = `{
  ${NOTE_LONG_TASKS}
  const frame = document.querySelector('figure[aria-label="Deliveries"]');
  const table = frame.querySelector('table');
  globalThis.scrolled = { ended: false, most: 0, known: 0, longMs: 0 };
  const step = () => {
    frame.scrollTop = frame.scrollHeight;
    requestAnimationFrame(() => {
      const known = Number(table.getAttribute('aria-rowcount'));
      const last = Number([...frame.querySelectorAll('tr[data-row]')].at(-1)?.dataset.row) + 1;
      const most = Math.max(scrolled.most, frame.querySelectorAll('tr').length);
      const ended = known !== -1 && last === known - 1;
      globalThis.scrolled = { ended, most, known: last, longMs };
      if (!ended) step();
    });
  };
  step();
}`;
