import { request as httpRequest } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { signIn } from '../../support/api/console-client.ts';
import { useApi } from '../../support/api/use-api.ts';

const api = useApi();

/** Requests by `node:http`: `fetch` sets headers of its own that tell what it is. */
function ask(
  path: string,
  { url = api.url, method = 'GET', headers = {} }: { url?: string; method?: string; headers?: object } = {},
): Promise<{ status: number; headers: Record<string, string>; text: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${url}${path}`, { method, headers: { ...headers } }, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve({
        status: response.statusCode ?? 0,
        headers: Object.fromEntries(new Headers(response.headers as Record<string, string>)),
        text,
      });
    });
    request.on('error', reject);
    request.end();
  });
}

const POLICY =
  /^default-src 'none'; script-src 'self'; style-src 'self' 'nonce-([\w-]{22})'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'$/;

describe('the console', () => {
  test.each(['/console', '/console/', '/console/t/acme/failures?state=failed', '/console/index.html'])(
    'is one page, %s',
    async (path) => {
      const { status, headers, text } = await ask(path);
      expect(status).toBe(200);
      expect(headers['content-type']).toBe('text/html; charset=utf-8');
      expect(headers['cache-control']).toBe('no-store');
      expect(headers['x-content-type-options']).toBe('nosniff');
      const [, nonce] = POLICY.exec(headers['content-security-policy'] ?? '') ?? [];
      expect(nonce).toBeDefined();
      expect(text).not.toContain('__NONCE__');
      expect(text.split(`nonce="${nonce}"`)).toHaveLength(3);
    },
  );

  test('has another nonce each time', async () => {
    const nonces = await Promise.all(
      Array.from(
        { length: 20 },
        async () => POLICY.exec((await ask('/console')).headers['content-security-policy'] ?? '')?.[1],
      ),
    );
    expect(new Set(nonces).size).toBe(20);
  });

  test('answers HEAD like GET', async () => {
    const { status, text } = await ask('/console', { method: 'HEAD' });
    expect([status, text]).toEqual([200, '']);
  });

  test('has files that are kept for ever, and nothing but these', async () => {
    const { status, headers } = await ask('/console/assets/page-3f9a.js');
    expect(status).toBe(200);
    expect(headers['content-type']).toMatch(/^text\/javascript/);
    expect(headers['cache-control']).toBe('public, max-age=31536000, immutable');
    for (const path of [
      '/console/assets/page-0000.js',
      '/console/assets/',
      '/console/assets',
      '/console/assets/../index.html',
      '/console/assets/..%2findex.html',
      '/console/assets/%2e%2e/%2e%2e/%2e%2e/package.json',
      '/console/assets/.env',
    ]) {
      const answer = await ask(path);
      expect([path, answer.text.includes('"name": "redrive"')]).toEqual([path, false]);
      expect([path, answer.headers['cache-control']?.includes('immutable') ?? false]).toEqual([path, false]);
    }
    expect((await ask('/console/assets/page-0000.js')).status).toBe(404);
    expect((await ask('/consoles')).status).toBe(404);
  });

  test('has its files compressed where the build made them so, for those who take them', async () => {
    const path = '/console/assets/page-3f9a.css';
    const plain = await ask(path);
    const packed = await ask(path, { headers: { 'accept-encoding': 'gzip' } });
    expect([plain.headers['content-encoding'], packed.headers['content-encoding']]).toEqual([
      undefined,
      'gzip',
    ]);
    expect(packed.headers['content-type']).toBe(plain.headers['content-type']);
    expect(packed.headers['cache-control']).toBe(plain.headers['cache-control']);
    expect(packed.headers.vary).toMatch(/accept-encoding/i);
    // One that was not packed is there all the same.
    const script = await ask('/console/assets/page-3f9a.js', { headers: { 'accept-encoding': 'gzip' } });
    expect([script.status, script.headers['content-encoding']]).toEqual([200, undefined]);
  });

  test('is at one name of this machine, the one that sessions know', async () => {
    const { port } = new URL(api.url);
    const answer = await ask('/console/t/acme?x=1', { headers: { host: `localhost:${port}` } });
    expect([answer.status, answer.headers.location]).toEqual([307, `${api.url}/console/t/acme?x=1`]);
    for (const host of ['redrive.example.com', `redrive.example.com:${port}`, 'localhost:1', '[', ''])
      expect((await ask('/console', { headers: { host } })).status).toBe(200);
  });
});

describe('a console that is not built', () => {
  const bare = useApi({ consoleFiles: '/nowhere' });

  test('says which command builds it', async () => {
    const { status, headers, text } = await ask('/console', { url: bare.url });
    expect(status).toBe(503);
    expect(text).toContain('npm run build');
    expect(text).toContain(`nonce="${POLICY.exec(headers['content-security-policy'] ?? '')?.[1]}"`);
  });
});

describe('what is no page', () => {
  test.each(['/healthz', '/openapi.json', '/api/v1/endpoints', '/nothing', '/console/assets/page-3f9a.js'])(
    'may do nothing in a browser: %s',
    async (path) => {
      const { headers } = await ask(path);
      expect(headers['content-security-policy']).toBe(
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      );
    },
  );
});

describe('the documentation', () => {
  test('has a policy of its own, and forgets the key that it is given', async () => {
    const { headers } = await ask('/docs/');
    expect(headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect((await ask('/docs/swagger-ui-init.js')).text).toContain('"persistAuthorization": false');
  });

  test('cannot call by the session of the console, whose downloads can', async () => {
    const { cookie } = await signIn(api, { credential: api.key });
    const status = async (headers: object) =>
      (await ask('/api/v1/endpoints', { headers: { cookie, ...headers } })).status;
    // As a script of /docs sends it.
    expect(await status({ 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin' })).toBe(401);
    expect(await status({ 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'same-origin' })).toBe(200);
    expect(await status({ 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'cross-site' })).toBe(401);
    expect(await status({ 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'same-site' })).toBe(401);
  });
});
