import type { Page } from 'playwright-core';
import type { PageOptions, TestBrowser } from './use-browser.ts';
import type { TestConsole } from './use-console.ts';

/** Chromium writes an error for the refusal that brings the sign-in. */
const REFUSAL = /status of 401/;

/** A page of a session of the installation, at a path of the console and about one tenant. */
export async function openAsAdmin(
  redrive: TestConsole,
  browser: TestBrowser,
  tenant: string,
  path: string,
  { expects = [], ...options }: PageOptions = {},
): Promise<Page> {
  const page = await browser.newPage({ expects: [REFUSAL, ...expects], ...options });
  await page.goto(`${redrive.url}/console/${path}${path.includes('?') ? '&' : '?'}tenant=${tenant}`);
  await page.getByLabel('API key or token').fill(redrive.engine.adminKey);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Screens' }).waitFor();
  return page;
}
