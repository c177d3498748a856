import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { allCommands } from '../../cli/src/command/groups.ts';
import { useApiWorld } from '../support/api/use-api.ts';
import { useCli } from '../support/cli/use-cli.ts';
import { createSelfSignedCertificate } from '../support/receivers/self-signed-certificate.ts';
import { newTestSigner, registrationOf } from '../support/surfaces/minka-client.ts';

/** Every command against a real API: what it takes is what the server takes, and what it writes is data. */

const world = useApiWorld();
const cli = useCli();

const ours = () => ({ url: world.api.url, key: world.ours.key });
const admin = () => ({ url: world.api.url, key: world.api.adminKey });

/** A file with this as JSON; its name. */
function file(name: string, value: unknown): Promise<string> {
  return textFile(name, JSON.stringify(value));
}

async function textFile(name: string, text: string): Promise<string> {
  const path = join(cli.home, name);
  await writeFile(path, text);
  return path;
}

type Call = [path: string, args: () => string[] | Promise<string[]>, as?: () => { url: string; key: string }];

/** In an order in which each finds what it needs. */
const CALLS: readonly Call[] = [
  ['auth status', () => []],
  ['status', () => []],
  ['failures', () => ['--since', '1h', '--by', 'endpoint,cause,status,type,hour']],
  ['deliveries list', () => ['--since', '1h', '--until', '0s', '--status', '404', '--limit', '1']],
  ['deliveries count', () => ['--state', 'failed,unknown']],
  ['deliveries get', () => [world.ours.delivery.deliveryId]],
  ['deliveries advice', () => [world.ours.delivery.deliveryId]],
  ['deliveries execution', () => [world.ours.delivery.executionId]],
  ['deliveries export', () => ['--state', 'failed', '--pending-longer-than', '1d']],
  [
    'deliveries resolve',
    () => ['--endpoint', world.ours.endpointId, '--outcome', 'failed', '--reason', 'x', '--yes'],
  ],
  ['events list', () => ['--type', 'seeded', '--source', 'seed', '--since', '1h']],
  ['events get', () => [world.ours.delivery.eventId, '--payload']],
  ['events send', async () => ['--file', await file('events.json', [{ type: 'a', payload: 1 }])]],
  ['retry list', () => ['--state', 'accepted', '--kind', 'retry', '--since', '1h', '--limit', 'all']],
  ['retry get', () => [world.ours.operationId]],
  ['retry items', () => [world.ours.operationId, '--limit', '5']],
  ['retry endpoints', () => [world.ours.operationId]],
  ['retry samples', () => [world.ours.operationId]],
  ['retry workflow', () => [world.ours.operationId]],
  ['retry addenda', () => [world.ours.operationId]],
  ['retry rate', () => [world.ours.operationId, '5/s']],
  ['retry pause', () => [world.ours.operationId]],
  ['retry resume', () => [world.ours.operationId]],
  ['retry cancel', () => [world.ours.planId]],
  ['outages list', () => ['--state', 'open']],
  ['outages get', () => [world.ours.outageId]],
  ['outages dismiss', () => [world.ours.outageId, '--reason', 'a test']],
  ['endpoints list', () => []],
  ['endpoints get', () => [world.ours.endpointId]],
  ['endpoints versions', () => [world.ours.endpointId]],
  [
    'endpoints create',
    () => [
      '--handle',
      'made-here',
      '--url',
      'https://hooks.example/x',
      '--secret-file',
      join(cli.home, 'secret'),
    ],
  ],
  ['endpoints update', () => ['made-here', '--rate', '50', '--type', 'a.*', '--timeout', '5s']],
  [
    'endpoints update',
    async () => {
      const { cert, key } = createSelfSignedCertificate();
      const [certificate, certificateKey] = [
        await textFile('cert.pem', cert),
        await textFile('key.pem', key),
      ];
      return [
        ...['made-here', '--ca-file', certificate],
        ...['--certificate-file', certificate, '--certificate-key-file', certificateKey],
      ];
    },
  ],
  ['endpoints disable', () => ['made-here']],
  ['endpoints enable', () => ['made-here']],
  ['endpoints test', () => ['made-here']],
  [
    'endpoints rotate-secret',
    () => ['made-here', '--old-valid-for', '0s', '--secret-file', join(cli.home, 'secret')],
  ],
  ['endpoints delete', () => ['made-here', '--yes']],
  ['stats attempts', () => ['--since', '2h', '--by', 'endpoint,outcome', '--granularity', 'minute']],
  ['stats events', () => ['--since', '2h', '--granularity', 'hour']],
  ['search', () => [world.ours.operationId]],
  ['events erase', () => [world.ours.delivery.eventId, '--yes']],
  ['keys list', () => []],
  [
    'keys create',
    () => ['a', '--scope', 'read:deliveries', '--expires', '1d', '--secret-file', join(cli.home, 'key')],
  ],
  ['keys revoke', () => [world.ours.keyId]],
  ['issuers list', () => []],
  [
    'issuers create',
    async () => [
      await file('issuer.json', {
        name: 'idp',
        issuer: 'https://id.example/',
        audience: 'here',
        algorithm: 'HS256',
        scopes: ['read:deliveries'],
      }),
      '--secret-file',
      join(cli.home, 'issuer-secret'),
    ],
  ],
  ['issuers revoke', () => [world.ours.jwtIssuerId]],
  ['signers list', () => []],
  ['signers system', () => []],
  [
    'signers create',
    async () => [await file('signer.json', registrationOf(newTestSigner('made-here'), world.ours.handle))],
  ],
  ['signers remove', () => [world.ours.signerId]],
  ['access-rules list', () => []],
  ['access-rules create', async () => [await file('rule.json', { action: 'any' })]],
  ['access-rules remove', () => [world.ours.accessRuleId]],
  ['audit list', () => ['--since', '1h', '--action', 'key.made'], admin],
  ['audit export', () => [], admin],
  ['audit checkpoints', () => [], admin],
  ['policy set', async () => [await file('policy.json', { approveAbove: 1_000_000 })], admin],
  ['policy get', () => [], admin],
  ['limits set', async () => [await file('limits.json', { ratePerSecond: 100_000 })], admin],
  ['limits get', () => [], admin],
  ['limits set-retention', async () => [await file('floors.json', { events: 1 })], admin],
  ['limits retention', () => [], admin],
  ['tenants list', () => [], admin],
  ['tenants create', () => ['made-here', '--name', 'Made', '--payload-retention-days', '30'], admin],
  ['tenants get', () => ['made-here'], admin],
  ['tenants update', () => ['made-here', '--plan', 'pro', '--payload-retention-days', 'none'], admin],
  ['signing-keys list', () => []],
  ['signing-keys rotate', () => [], admin],
  ['signing-keys revoke', () => [world.ours.signingKeyId], admin],
  ['api', () => ['GET', '/api/v1/me']],
  ['completion', () => ['bash']],
];

/** Those that tests of their own run. */
const ELSEWHERE = [
  'auth login',
  'auth use',
  'auth logout',
  'retry run',
  'retry plan',
  'retry execute',
  'retry watch',
  'retry approve',
  'retry reject',
  'retry explain',
  'retry emergency',
  'retry report',
  'retry proof',
  'report verify',
  'audit verify',
  'listen',
  'import',
  'imports list',
  'imports get',
  'imports lines',
  'imports close',
  'imports abandon',
];

test('each command is run here, or by the tests of exit codes', async () => {
  const all = (await allCommands()).map(({ path }) => path.join(' '));
  const named = [...CALLS.map(([path]) => path), ...ELSEWHERE];
  expect(all.filter((path) => !named.includes(path))).toEqual([]);
  expect(named.filter((path) => !all.includes(path))).toEqual([]);
});

describe('as JSON', () => {
  // In their order: later ones take away what earlier ones show.
  test.each(CALLS)('%s', async (path, args, as = ours) => {
    const tenant = as === admin && !path.startsWith('tenants') ? ['--tenant', world.ours.handle] : [];
    const { code, stdout, stderr } = await cli.run(as(), [
      ...path.split(' '),
      ...(await args()),
      ...tenant,
      '-o',
      'json',
    ]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const lines = path.endsWith('export') || path === 'completion';
    if (!lines && stdout !== '') expect(() => JSON.parse(stdout)).not.toThrow();
    // Nothing that is shown once is shown here.
    expect(stdout).not.toMatch(/rdk_|whsec_|PRIVATE KEY/);
  });
});

describe('as a table', () => {
  const READS = CALLS.filter(([path]) =>
    /(status|list|count|failures|limits get|policy get|search)$/.test(path),
  );
  test.each(READS)('%s', async (path, args, as = ours) => {
    const tenant = as === admin && !path.startsWith('tenants') ? ['--tenant', world.ours.handle] : [];
    const { code, stderr } = await cli.run(as(), [...path.split(' '), ...(await args()), ...tenant]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
  });
});

test('nothing of another tenant is found by its id', async () => {
  const { theirs } = world;
  for (const [path, id] of [
    ['deliveries get', theirs.delivery.deliveryId],
    ['retry get', theirs.operationId],
    ['retry cancel', theirs.operationId],
    ['retry get', theirs.planId],
    ['outages get', theirs.outageId],
    ['endpoints get', theirs.endpointId],
  ] as const) {
    const { code, stdout, stderr } = await cli.run(ours(), [...path.split(' '), id]);
    expect({ path, code, stdout, stderr }).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('not_found'),
    });
  }
});

describe('checkpoints of an audit', () => {
  test('are all of them as JSON, in the form that a verifier reads, and as many as were asked for', async () => {
    const { tenant } = await world.api.newTenant('busy');
    await world.api.database.pool.query(
      `insert into audit_checkpoints (tenant_id, number, hash)
       select $1, n, decode(repeat('ab', 32), 'hex') from generate_series(1, 1100) n`,
      [tenant.id],
    );
    const list = async (...more: string[]) => {
      const args = ['audit', 'checkpoints', '--tenant', tenant.handle, '-o', 'json', ...more];
      const { code, stdout, stderr } = await cli.run(admin(), args);
      expect({ code, stderr }).toMatchObject({ code: 0 });
      return { ...JSON.parse(stdout), stderr };
    };
    const all = await list();
    expect(all).toMatchObject({ nextCursor: null, head: null, stderr: '' });
    expect(all.items).toHaveLength(1_100);
    const some = await list('--limit', '3');
    expect(some).toMatchObject({
      nextCursor: expect.any(String),
      stderr: expect.stringMatching(/The first 3/),
    });
    expect(some.items).toHaveLength(3);
    const lines = await cli.run(admin(), [
      ...['audit', 'checkpoints', '--tenant', tenant.handle, '-o', 'ndjson'],
    ]);
    expect(lines.stdout.trimEnd().split('\n')).toHaveLength(1_100);
  });
});

test('a ledger is a table for spreadsheets, too', async () => {
  const args = ['retry', 'items', world.ours.operationId, '--csv'];
  const { code, stdout } = await cli.run(ours(), args);
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringMatching(/deliveryId.*,/) });
});

describe('events that are sent', () => {
  test('are one, a list, or lines, and none of them where one is no JSON', async () => {
    const send = (input: string) =>
      cli.run(ours(), ['events', 'send', '--file', '-', '-o', 'json'], { input });
    const one = (n: number) => JSON.stringify({ type: 'sent', payload: { n } });
    expect(JSON.parse((await send(one(1))).stdout)).toHaveLength(1);
    expect(JSON.parse((await send(`\ufeff${one(1)}\r\n${one(2)}\r\n`)).stdout)).toHaveLength(2);
    const many = Array.from({ length: 250 }, (_, n) => one(n)).join('\n');
    expect(JSON.parse((await send(many)).stdout)).toHaveLength(250);
    const before = await counted();
    expect(await send(`${one(1)}\n{"type":`)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Line 2'),
    });
    expect(await counted()).toBe(before);
  });

  async function counted(): Promise<number> {
    const { rows } = await world.api.database.pool.query('select count(*)::int as n from events');
    return rows[0].n;
  }
});

describe('a completion', () => {
  let bash: string;
  beforeAll(async () => {
    bash = (await cli.run(ours(), ['completion', 'bash'])).stdout;
  });

  test('offers what can follow, in a real bash', async () => {
    const { execFile } = await import('node:child_process');
    const offered = (...words: string[]) =>
      new Promise<string[]>((resolve, reject) =>
        execFile(
          'bash',
          [
            '-c',
            `${bash}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _redrive; printf '%s\\n' "\${COMPREPLY[@]}"`,
            'bash',
            'redrive',
            ...words,
          ],
          (error, stdout) => (error ? reject(error) : resolve(stdout.trim().split('\n'))),
        ),
      );
    expect(await offered('ret')).toEqual(['retry']);
    expect(await offered('retry', 'ru')).toEqual(['run']);
    expect(await offered('retry', 'run', '--max')).toEqual(['--max-drift']);
    expect(await offered('deliveries', 'list', '--state', 'fa')).toEqual(['failed']);
    expect(await offered('-o', 'nd')).toEqual(['ndjson']);
  });

  test.each(['zsh', 'fish'])('is there for %s, too', async (shell) => {
    const { code, stdout } = await cli.run(ours(), ['completion', shell]);
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('max-drift') });
  });
});

test('the built command line is one that others can have: plain files, and the version of its package', async () => {
  const { version } = JSON.parse(await readFile('cli/package.json', 'utf8'));
  expect((await cli.run(ours(), ['--version'])).stdout).toBe(`${version}\n`);
});
