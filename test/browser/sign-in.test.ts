import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeInBrowser } from '../support/browser/describe-in-browser.ts';
import { found } from '../support/browser/found.ts';
import { expectAccessible, useBrowser } from '../support/browser/use-browser.ts';
import { useConsole } from '../support/browser/use-console.ts';
import { eventually } from '../support/eventually.ts';

/** What browsers do with a session, and what pages of others can do with it: with a page that is the least of a console. */

const FILES = fileURLToPath(new URL('../fixtures/console', import.meta.url));

/** Chromium writes an error for each answer of a refusal. */
const REFUSAL = /status of 40[13]/;
/** And for each request whose answer the page must not read. */
const CORS = /blocked by CORS policy|net::ERR_FAILED|ERR_BLOCKED_BY_RESPONSE/;

/** Script, style, request and picture in each place where a page could have them. */
const REFUSED = [
  'connect-src',
  'img-src',
  'script-src',
  'script-src-attr',
  'script-src-elem',
  'style-src-attr',
  'style-src-elem',
];

describeInBrowser('signing in', () => {
  const redrive = useConsole({ files: FILES });
  const browser = useBrowser();
  let key: string;
  const foreign: Server[] = [];

  beforeAll(async () => {
    ({ key } = await redrive.engine.client.newTenant('acme'));
  });
  afterEach(() => {
    for (const server of foreign.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  const says = (page: Page, id: string, text: RegExp) => page.locator(`#${id}`, { hasText: text }).waitFor();

  /** Serves a page of somebody else, and returns its port. */
  async function pageOfOthers(html: string): Promise<number> {
    const server = createServer((_, res) => res.setHeader('content-type', 'text/html').end(html));
    foreign.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  async function keys(): Promise<number> {
    const { rows } = await redrive.engine.database.pool.query(
      'select count(*)::int as keys from api_keys where revoked_at is null',
    );
    return rows[0].keys;
  }

  test('a link signs in, once, and leaves nothing behind that a script could find', async () => {
    const address = await redrive.signedIn('acme');
    const [, code = ''] = address.split('#code=');
    const page = await browser.newPage({ expects: [REFUSAL] });
    await page.goto(address);
    await says(page, 'who', /^Signed in as key_/);
    expect(page.url()).toBe(`${redrive.url}/console`);
    await page.getByRole('button', { name: 'List failures' }).click();
    await says(page, 'failures', /^0 failed$/);
    const [cookie] = await page.context().cookies();
    expect(cookie).toMatchObject({
      name: `redrive-${new URL(redrive.url).port}`,
      httpOnly: true,
      sameSite: 'Strict',
      path: '/',
    });
    const kept = await found(page);
    for (const secret of [code, cookie?.value ?? '']) expect(kept).not.toContain(secret);
    expect(redrive.engine.log.join('')).not.toContain(code);

    const again = await browser.newPage({ expects: [REFUSAL] });
    await again.goto(address);
    await says(again, 'who', /^sign_in_code_refused$/);
  });

  test('a key that is pasted is sent once and kept nowhere', async () => {
    const page = await browser.newPage();
    await page.goto(`${redrive.url}/console`);
    await page.getByLabel('API key or token').fill(key);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await says(page, 'who', /^Signed in as key_/);
    expect(await found(page)).not.toContain(key);
    expect(redrive.engine.log.join('')).not.toContain(key);
    await page.reload();
    await page.getByRole('button', { name: 'List failures' }).click();
    await says(page, 'failures', /^0 failed$/);
  });

  test('the page is accessible, and its policy lets nothing in that it does not name', async () => {
    const page = await browser.newPage({ expects: [/^CSP: /, /Content Security Policy/, /^EvalError/] });
    await page.goto(`${redrive.url}/console`);
    await expectAccessible(page);
    await page.evaluate(`(async () => {
      window.refused = new Set();
      addEventListener('securitypolicyviolation', ({ effectiveDirective }) => refused.add(effectiveDirective));
      const add = (name, members) => document.body.append(Object.assign(document.createElement(name), members));
      add('script', { textContent: 'window.ran = true' });
      add('img', { src: 'http://127.0.0.1:9/x.png' });
      add('style', { textContent: 'h1 { color: red }' });
      document.body.insertAdjacentHTML('beforeend', '<p style="color: red" onclick="window.ran = true">x</p>');
      document.querySelector('p:last-of-type').click();
      await fetch('http://127.0.0.1:9/').catch(() => {});
      // In a turn of its own: what a debugger evaluates may do so itself.
      setTimeout(() => { window.ran = eval('true'); });
    })()`);
    let refused: string[] = [];
    await eventually(
      'all of it is refused',
      async () => {
        refused = await page.evaluate('[...refused].sort()');
        return refused.length >= REFUSED.length;
      },
      { otherwise: () => refused.join() },
    );
    expect(refused).toEqual(REFUSED);
    expect(await page.evaluate('window.ran === true')).toBe(false);
  });

  test.each([
    ['of another site', 'localhost', 401],
    ['of another port of this machine, which the browser takes for the same site', '127.0.0.1', 403],
  ])('a page %s gets nothing done, and reads nothing', async (_, host, status) => {
    const page = await browser.newPage({ expects: [CORS, REFUSAL, /frame/i] });
    await page.goto(await redrive.signedIn('acme'));
    await says(page, 'who', /^Signed in as key_/);
    const before = await keys();
    const refusals = redrive.engine.log.length;
    const port = await pageOfOthers(`<!doctype html><title>evil</title>
      <form method="post" enctype="text/plain" action="${redrive.url}/api/v1/keys" target="answer">
        <input name='{"name":"forged","scopes":["read:deliveries"],"x":"' value='"}'></form>
      <iframe name="answer"></iframe><iframe src="${redrive.url}/console"></iframe>`);
    await page.goto(`http://${host}:${port}/`);
    const answers = await page.evaluate(`(async () => {
      const tried = async (path, init) => {
        try { return (await fetch('${redrive.url}' + path, { credentials: 'include', ...init })).type; } catch { return 'refused'; }
      };
      const body = JSON.stringify({ name: 'forged', scopes: ['read:deliveries'] });
      document.forms[0].submit();
      return [
        await tried('/api/v1/deliveries'),
        await tried('/api/v1/deliveries', { headers: { 'redrive-console': '1' } }),
        await tried('/api/v1/keys', { method: 'POST', body, headers: { 'content-type': 'text/plain' } }),
        await tried('/api/v1/keys', { method: 'POST', body, headers: { 'content-type': 'application/json', 'redrive-console': '1' } }),
        await tried('/console/session', { method: 'DELETE' }),
        await tried('/console/session', { method: 'POST', mode: 'no-cors', body: '{"credential":"x"}' }),
      ];
    })()`);
    expect(answers).toEqual(Array(6).fill('refused'));
    // The form and the request that needs to ask nobody arrive; without a cookie from another site, with it from this one.
    const arrived = () =>
      redrive.engine.log
        .slice(refusals)
        .map((line) => JSON.parse(line))
        .filter(
          ({ event, method, route }) =>
            event === 'api.refused' && method === 'POST' && route === '/api/v1/keys',
        );
    await eventually('both have arrived', () => arrived().length === 2);
    expect(arrived().map((line) => line.status)).toEqual([status, status]);
    expect(await keys()).toBe(before);
    expect(page.frames().map((frame) => frame.url())).not.toContain(`${redrive.url}/console`);

    await page.goto(`${redrive.url}/console`);
    await page.getByRole('button', { name: 'List failures' }).click();
    await says(page, 'failures', /^0 failed$/);
  });

  test('the documentation works under its policy, and its calls are not by the session', async () => {
    const page = await browser.newPage({ expects: [REFUSAL] });
    await page.goto(await redrive.signedIn('acme'));
    await says(page, 'who', /^Signed in as key_/);
    await page.goto(`${redrive.url}/docs/`);
    await page.locator('.opblock').first().waitFor();
    const status = await page.evaluate(`fetch('/api/v1/deliveries').then(({ status }) => status)`);
    expect(status).toBe(401);
    expect(await found(page)).not.toContain(key);
  });

  test('a session whose key is revoked is over in the browser, too', async () => {
    const { engine } = redrive;
    const { key: other } = await engine.client.newTenant('beta');
    const page = await browser.newPage({ expects: [REFUSAL] });
    await page.goto(await redrive.signedIn('beta'));
    await says(page, 'who', /^Signed in as key_/);
    const { body } = await engine.client.expect(200, 'GET', '/api/v1/keys', {
      headers: { 'redrive-tenant': 'beta' },
    });
    await engine.client.expect(204, 'DELETE', `/api/v1/keys/${body.items[0].id}`, {
      headers: { 'redrive-tenant': 'beta' },
    });
    await page.getByRole('button', { name: 'List failures' }).click();
    await says(page, 'failures', /^session_ended$/);
    expect(await found(page)).not.toContain(other);
  });
});
