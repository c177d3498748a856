import type { Page } from 'playwright-core';

/**
 * All that a page's scripts can find of what a browser keeps, and its address and history; but for the address that it
 * was opened with, which it remembers until it is left, and whose code is used up by then.
 */
export function found(page: Page): Promise<string> {
  return page.evaluate(`(async () => JSON.stringify([
    location.href, document.cookie, document.documentElement.outerHTML, history.state, document.referrer,
    { ...localStorage }, { ...sessionStorage }, await indexedDB.databases(), await caches.keys(),
    performance.getEntriesByType('resource').map(({ name }) => name), [...document.querySelectorAll('input')].map(({ value }) => value),
  ]))()`);
}
