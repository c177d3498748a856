import { resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { loadConfig } from '../../src/config/config.ts';
import { reachesLoopback } from '../../src/config/demo-profile.ts';

const KEY = 'q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=';

test('an environment that says next to nothing is a complete config', () => {
  expect(loadConfig({ REDRIVE_DEMO: '0' })).toEqual({
    ok: true,
    config: {
      port: 4400,
      host: '127.0.0.1',
      dataDir: resolve('.redrive'),
      demo: false,
      allowedNetworks: [],
      logLevel: 'info',
      taskQueuePrefix: 'redrive',
      trustedProxies: [],
    },
  });
});

test('an empty variable counts as none', () => {
  expect(loadConfig({ REDRIVE_PORT: '', DATABASE_URL: '', REDRIVE_MASTER_KEY: '' })).toEqual(loadConfig({}));
});

test('a master key is read as base64 or as hex', () => {
  const bytes = Buffer.alloc(32, 0xab);
  for (const text of [KEY, bytes.toString('hex'), bytes.toString('base64url')]) {
    expect(loadConfig({ REDRIVE_MASTER_KEY: text })).toMatchObject({
      ok: true,
      config: { masterKey: bytes },
    });
  }
});

test.each([
  ['https://redrive.example.com', 'https://redrive.example.com'],
  ['https://Redrive.example.com:443/', 'https://redrive.example.com'],
  ['http://localhost:4400', 'http://localhost:4400'],
])('the public address %s stands for its origin', (text, publicOrigin) => {
  expect(loadConfig({ REDRIVE_PUBLIC_URL: text })).toMatchObject({ ok: true, config: { publicOrigin } });
});

test.each([
  'redrive.example.com',
  'https://redrive.example.com/console',
  'https://redrive.example.com/?a',
  'https://user:word@redrive.example.com',
  'ftp://redrive.example.com',
  'javascript:alert(1)',
])('the public address %s is refused', (text) => {
  expect(loadConfig({ REDRIVE_PUBLIC_URL: text })).toMatchObject({
    ok: false,
    problems: [expect.stringContaining('without a path')],
  });
});

test.each([
  ['https://temporal.example.com', 'https://temporal.example.com'],
  ['https://example.com/temporal/', 'https://example.com/temporal'],
])('the address of the Temporal UI %s is taken without its last slash', (text, temporalUiUrl) => {
  expect(loadConfig({ REDRIVE_TEMPORAL_UI_URL: text })).toMatchObject({
    ok: true,
    config: { temporalUiUrl },
  });
});

test.each([
  'temporal.example.com',
  'https://temporal.example.com/?a',
  'https://user:word@temporal.example.com',
  'javascript:alert(1)',
])('the address of the Temporal UI %s is refused', (text) => {
  expect(loadConfig({ REDRIVE_TEMPORAL_UI_URL: text })).toMatchObject({
    ok: false,
    problems: [expect.stringContaining('without parameters')],
  });
});

test('networks are read with spaces around them', () => {
  const env = { REDRIVE_DEMO: '0', REDRIVE_ALLOWED_NETWORKS: '10.20.0.0/16, fd00::/8' };
  expect(loadConfig(env)).toMatchObject({
    config: { allowedNetworks: ['10.20.0.0/16', 'fd00::/8'] },
  });
});

test.each([
  ['the demo', {}, 'all', true],
  ['the demo on any name of loopback', { REDRIVE_HOST: '::1' }, 'all', true],
  ['the demo on localhost', { REDRIVE_HOST: 'localhost' }, 'all', true],
  ['a host that others can reach', { REDRIVE_HOST: '0.0.0.0' }, 'all', false],
  ['no demo', { REDRIVE_DEMO: '0' }, 'all', false],
  ['a host that is not valid', { REDRIVE_HOST: 'no host' }, 'all', false],
  ['networks of its own', { REDRIVE_ALLOWED_NETWORKS: '10.20.0.0/16' }, 'all', false],
  ['the API alone', {}, 'api', false],
  ['the worker alone', {}, 'worker', false],
] as const)('with %s deliveries may reach loopback or not', (_, env, role, reaches) => {
  const result = loadConfig(env, role);
  expect(result.ok && reachesLoopback(result.config.allowedNetworks)).toBe(reaches);
});

test('the demo belongs to the role that has all it needs', () => {
  expect(loadConfig({}, 'all')).toMatchObject({ config: { demo: true } });
  expect(loadConfig({ REDRIVE_DEMO: '1' }, 'worker')).toMatchObject({ config: { demo: false } });
});

test.each([
  [
    'REDRIVE_PORT',
    '65536',
    'REDRIVE_PORT is "65536": use a port number from 0 to 65535, where 0 takes any free one.',
  ],
  [
    'REDRIVE_DEMO',
    'yes',
    'REDRIVE_DEMO is "yes": use 1 to load the demo into an empty database, or 0 not to.',
  ],
  [
    'REDRIVE_ALLOWED_NETWORKS',
    '10.0.0.1',
    'REDRIVE_ALLOWED_NETWORKS is "10.0.0.1": use networks with their prefix lengths and commas between them, such as 10.20.0.0/16,fd00::/8.',
  ],
  [
    'REDRIVE_LOG_LEVEL',
    'loud',
    'REDRIVE_LOG_LEVEL is "loud": use one of fatal, error, warn, info, debug, trace, silent.',
  ],
  [
    'TEMPORAL_ADDRESS',
    'temporal',
    'TEMPORAL_ADDRESS is "temporal": use host:port, such as temporal.internal:7233.',
  ],
])('%s=%s gets one sentence that says what to write', (name, value, problem) => {
  expect(loadConfig({ [name]: value })).toEqual({ ok: false, problems: [problem] });
});

test('a secret that is not right is not repeated', () => {
  const result = loadConfig({
    DATABASE_URL: 'mysql://me:hush@host/db',
    REDRIVE_MASTER_KEY: 'hush',
    REDRIVE_ADMIN_KEY: 'hush',
  });
  expect(result).toMatchObject({ ok: false });
  expect(JSON.stringify(result)).not.toMatch(/hush/);
  expect(!result.ok && result.problems).toHaveLength(3);
});

test('a database without a master key is refused', () => {
  const result = loadConfig({ DATABASE_URL: 'postgres://host/redrive' });
  expect(result).toEqual({
    ok: false,
    problems: [expect.stringMatching(/^REDRIVE_MASTER_KEY is not set although DATABASE_URL is: set it to/)],
  });
});

test('a migration needs no master key: it opens no secret', () => {
  expect(loadConfig({ DATABASE_URL: 'postgres://host/redrive' }, 'migrate')).toMatchObject({ ok: true });
});

test.each([
  ['http://proxy.internal:3128'],
  ['https://user:p%40ss@proxy.internal'],
  ['http://[fd00::1]:3128/'],
])('takes %s for the address of an egress proxy', (text) => {
  expect(loadConfig({ REDRIVE_EGRESS_PROXY: text })).toMatchObject({
    ok: true,
    config: { egressProxy: text },
  });
});

test.each([['proxy.example:3128'], ['socks5://proxy'], ['http://proxy/path'], ['http://user:%E0@proxy']])(
  'refuses %s for the address of an egress proxy, and does not repeat it',
  (text) => {
    const loaded = loadConfig({ REDRIVE_EGRESS_PROXY: text });
    expect(loaded).toMatchObject({
      ok: false,
      problems: [expect.stringMatching(/^REDRIVE_EGRESS_PROXY is not valid/)],
    });
    expect(JSON.stringify(loaded)).not.toContain(text);
  },
);

test('reads second keys, for the time in which keys are rotated', () => {
  const key = Buffer.alloc(32, 7);
  expect(
    loadConfig({ REDRIVE_OTHER_MASTER_KEY: key.toString('hex'), REDRIVE_OTHER_ADMIN_KEY: 'a'.repeat(24) }),
  ).toMatchObject({ ok: true, config: { otherMasterKey: key, otherAdminKey: 'a'.repeat(24) } });
});
