import { defineConfig } from 'vite';

/** For `npm run dev`: a running API, and the key that stands for a session. */
const { REDRIVE_URL = 'http://127.0.0.1:4400', REDRIVE_KEY } = process.env;

const proxied = {
  target: REDRIVE_URL,
  changeOrigin: true,
  ...(REDRIVE_KEY ? { headers: { authorization: `Bearer ${REDRIVE_KEY}` } } : {}),
};

export default defineConfig({
  base: '/console/',
  // The server puts the nonce of each answer in its place: libraries may style by it, nothing else may.
  html: { cspNonce: '__NONCE__' },
  build: {
    target: 'es2023',
    manifest: true,
    // Of it the notices are made that go along.
    license: { fileName: '.vite/license.json' },
    // A picture in the style sheet would be a `data:` address, which the policy refuses.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  server: {
    port: 4480,
    proxy: { '/api': proxied, '/.well-known': proxied, '/console/session': proxied },
  },
});
