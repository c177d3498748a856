import { type Browser, type CDPSession, chromium, type Page } from 'playwright-core';
import { makeSignInCode } from '../src/store/tenancy/sign-in-codes.ts';
import { chromiumPath, NO_CHROMIUM } from '../test/support/browser/chromium.ts';
import { measuredProcess } from './measured-process.ts';
import type { Rig } from './rig.ts';

/** Opens a console, measures what it costs, and closes its browser afterwards. */
export async function withBrowser<Result>(run: (browser: Browser) => Promise<Result>): Promise<Result> {
  const executablePath = chromiumPath();
  if (executablePath === undefined) throw new Error(NO_CHROMIUM);
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const browser = await chromium.launch({ executablePath, args });
  try {
    return await run(browser);
  } finally {
    await browser.close();
  }
}

/** The address that opens the console signed in as the key of a tenant, once. */
export async function consoleAddress({ pool, url }: Rig, tenant: string): Promise<string> {
  const code = await makeSignInCode(pool, { tenant, name: 'test' });
  return `${url}/console#code=${code}`;
}

/** CPU time so far, in milliseconds, of the processes that draw pages: user and system, by the kernel. */
export async function rendererCpuMs(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  return processInfo
    .filter(({ type }) => type === 'renderer')
    .reduce((sum, { id }) => sum + measuredProcess('renderer', id).cpuMs(), 0);
}

/** The memory of a page's objects, in MiB, after what nothing refers to is gone. */
export async function heapMiB(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  await session.send('Performance.enable');
  const { metrics } = await session.send('Performance.getMetrics');
  await session.detach();
  return (metrics.find(({ name }) => name === 'JSHeapUsedSize')?.value ?? Number.NaN) / 1_048_576;
}

/** The longest task of a page's main thread. */
export interface LongestTask {
  /** From its beginning to its end: also the time in which other programs had the core. */
  wallMs: number;
  /** CPU time of the thread. */
  cpuMs: number;
}

interface TraceEvent {
  name: string;
  ph: string;
  dur?: number;
  tdur?: number;
  pid: number;
  tid: number;
  args?: { name?: string };
}

/** Traces a page while something happens, and finds the longest task of its main thread. */
export async function longestTask(page: Page, happening: () => Promise<unknown>): Promise<LongestTask> {
  const session = await page.context().newCDPSession(page);
  const events: TraceEvent[] = [];
  session.on('Tracing.dataCollected', ({ value }) => events.push(...(value as unknown as TraceEvent[])));
  await session.send('Tracing.start', {
    traceConfig: { includedCategories: ['toplevel', 'devtools.timeline', '__metadata'] },
    transferMode: 'ReportEvents',
  });
  await happening();
  await ended(session);
  const main = new Set(
    events
      .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
      .map(({ pid, tid }) => `${pid} ${tid}`),
  );
  const tasks = events.filter(
    ({ name, ph, pid, tid }) => name.endsWith('RunTask') && ph === 'X' && main.has(`${pid} ${tid}`),
  );
  if (tasks.length === 0) throw new Error('the trace holds no task of the page');
  return {
    wallMs: Math.max(...tasks.map(({ dur = 0 }) => dur)) / 1_000,
    cpuMs: Math.max(...tasks.map(({ tdur = 0 }) => tdur)) / 1_000,
  };
}

async function ended(session: CDPSession): Promise<void> {
  const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
  await session.send('Tracing.end');
  await complete;
  await session.detach();
}
