import { AxeBuilder } from '@axe-core/playwright';
import { afterEach, expect } from '@jest/globals';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';
import { patient } from '../patience.ts';
import { use } from '../use.ts';
import { chromiumPath, NO_CHROMIUM } from './chromium.ts';

/** How a page is opened. */
export interface PageOptions extends BrowserContextOptions {
  /** Errors that the test provokes. */
  expects?: readonly RegExp[];
}

/** A browser for the tests of a file or `describe`. */
export interface TestBrowser {
  /** Opens a page with nothing of an earlier one, neither cookies nor storage; its context opens further tabs. */
  newPage(options?: PageOptions): Promise<Page>;
}

/** On loopback everything is there at once; only a machine that is busy takes longer. */
const ANSWERS_WITHIN_MS = 10_000;

/** Violations of the policy are told by Chromium in words that change; this says them in ours. */
const TELL_VIOLATIONS = `addEventListener('securitypolicyviolation', (event) =>
  console.error('CSP: ' + event.effectiveDirective + ' refused ' + (event.blockedURI || event.sourceFile)));`;

/**
 * Starts a browser for the tests of a file or `describe`. After each test its pages are closed, and it fails where one
 * of them wrote an error, threw one, or violated its content security policy, unless the test expected just that.
 */
export function useBrowser(): TestBrowser {
  const faults: string[] = [];
  const contexts: BrowserContext[] = [];
  const running = use(launch, ({ browser }) => browser.close());

  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
    expect(faults.splice(0)).toEqual([]);
  });

  return {
    async newPage({ expects = [], ...options } = {}) {
      const context = await running.browser.newContext({ reducedMotion: 'reduce', ...options });
      context.setDefaultTimeout(patient(ANSWERS_WITHIN_MS));
      await context.addInitScript(TELL_VIOLATIONS);
      const note = (fault: string) => {
        if (!expects.some((expected) => expected.test(fault))) faults.push(fault);
      };
      context.on('console', (message) => {
        if (message.type() === 'error') note(message.text());
      });
      context.on('weberror', (error) => note(String(error.error())));
      contexts.push(context);
      const page = await context.newPage();
      page.on('crash', () => note('the page crashed'));
      return page;
    },
  };
}

/** Fails where axe finds something on a page as it is now; the findings say what and where. */
export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze();
  expect(
    violations.map(({ id, help, nodes }) => ({ id, help, at: nodes.map(({ target }) => target.join(' ')) })),
  ).toEqual([]);
}

async function launch(): Promise<{ browser: Browser }> {
  const executablePath = chromiumPath();
  if (executablePath === undefined) throw new Error(NO_CHROMIUM);
  // Chromium has no sandbox for root, which CI is, and its pages here are our own.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return { browser: await chromium.launch({ executablePath, args, timeout: patient(30_000) }) };
}
