import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import express, { type Request, type Response, Router } from 'express';
import { isLoopback } from '../../config/loopback.ts';
import { readUrl } from '../../domain/endpoints/url.ts';
import type { ApiDeps } from '../api-deps.ts';
import { type Policy, setPolicy } from './policy.ts';

/** Stands in `index.html` wherever the nonce of the answer comes; the console's build puts it there. */
const NONCE_PLACE = '__NONCE__';

/** The build puts each file there compressed as well, under its name and this. */
const COMPRESSED = '.gz';

const YEAR_SECONDS = 365 * 24 * 60 * 60;

/** The console may load itself and call this API; styles it may make as well, where they show the nonce. */
function policy(nonce: string): Policy {
  return {
    'default-src': ["'none'"],
    'script-src': ["'self'"],
    'style-src': ["'self'", `'nonce-${nonce}'`],
    'connect-src': ["'self'"],
    'img-src': ["'self'"],
    'base-uri': ["'none'"],
    'form-action': ["'self'"],
    'frame-ancestors': ["'none'"],
  };
}

/**
 * The console, whose paths all lead to its one page: the rest of the path is read there. Its other files have names that
 * hold their digest, and are kept for ever.
 */
export function consolePage({ consoleFiles, publicOrigin }: ApiDeps): Router {
  const router = Router({ caseSensitive: true });
  const files = express.static(join(consoleFiles, 'assets'), {
    index: false,
    redirect: false,
    setHeaders(res, path) {
      res.setHeader('cache-control', `public, max-age=${YEAR_SECONDS}, immutable`);
      if (!path.endsWith(COMPRESSED)) return;
      res.setHeader('content-encoding', 'gzip');
      res.setHeader('content-type', contentType(extname(path.slice(0, -COMPRESSED.length))));
    },
  });
  router.use('/console/assets', (req, res, next) => {
    res.vary('accept-encoding');
    const asked = req.url;
    const plain = () => {
      req.url = asked;
      files(req, res, next);
    };
    if (!req.acceptsEncodings('gzip')) return plain();
    req.url = asked.replace(/(?=\?|$)/, COMPRESSED);
    files(req, res, plain);
  });
  router.get(/^\/console(?:\/(?!assets\/).*)?$/, async (req: Request, res: Response) => {
    const elsewhere = addressForCookies(publicOrigin(), req);
    if (elsewhere !== undefined) {
      res.redirect(307, elsewhere);
      return;
    }
    const page = await readFile(join(consoleFiles, 'index.html'), 'utf8').catch(absent);
    const nonce = randomBytes(16).toString('base64url');
    setPolicy(res, policy(nonce));
    res.setHeader('cache-control', 'no-store');
    res.type('html');
    res.status(page === undefined ? 503 : 200).send((page ?? NOT_BUILT).replaceAll(NONCE_PLACE, nonce));
  });
  return router;
}

/**
 * This page at the name by which sessions know the machine: `localhost` and `127.0.0.1` are one machine, but two origins,
 * and one signs in at the public one only.
 */
function addressForCookies(origin: string | undefined, req: Request): string | undefined {
  const host = req.headers.host ?? '';
  const asked = readUrl(`http://${host}`);
  if (origin === undefined || asked === undefined) return undefined;
  const known = new URL(origin);
  const otherName =
    known.protocol === 'http:' &&
    isLoopback(known.hostname) &&
    isLoopback(asked.hostname) &&
    known.port === asked.port &&
    known.host !== asked.host;
  return otherName ? `${origin}${req.originalUrl}` : undefined;
}

function contentType(extension: string): string {
  return TYPES[extension] ?? 'application/octet-stream';
}

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

const NOT_BUILT = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Redrive: the console is not built</title>
<style nonce="${NONCE_PLACE}">
  :root { color-scheme: light dark; }
  body { max-width: 40rem; margin: 4rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }
</style>
<main>
  <h1>The console is not built</h1>
  <p>Run <code>npm run build</code> in the directory of Redrive, then load this page again. <code>npm start</code> builds it, too.</p>
  <p>The API is there: <a href="/docs/">its documentation</a>.</p>
</main>
</html>
`;
