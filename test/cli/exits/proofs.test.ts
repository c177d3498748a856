import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { exportJWK, FlattenedSign, generateKeyPair } from 'jose';
import { useInstalledCli } from '../../support/cli/installed-cli.ts';
import { makePipe } from '../../support/cli/make-pipe.ts';
import { runCli } from '../../support/cli/run-cli.ts';
import { useCli } from '../../support/cli/use-cli.ts';
import { createScene, type Scene } from '../../support/engine/recovery-scene.ts';
import { useEngine, useScenes } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { ok, status } from '../../support/receivers/receiver-behaviour.ts';
import { use } from '../../support/use.ts';

/** Proofs by files alone: what is handed over is fetched once, and verified where there is no server and no key. */

const engine = useEngine();
useScenes(engine);
const cli = useCli();
const installed = useInstalledCli();
const it: Scene = use(
  () => createScene(engine, [ok, status(400)]),
  (made) => made.close(),
);

const path = (name: string) => join(cli.home, name);
const read = (name: string) => readFile(path(name), 'utf8');

/** Somebody with the package, the files and nothing else: no checkout, no address, no key, no home. */
const offline = (...args: string[]) =>
  runCli(args, { cwd: cli.home, bin: installed.bin, env: { HOME: join(cli.home, 'nobody') } });

test('the package is plain files, needs nothing, and is one that can be published', async () => {
  const { files, directory } = installed;
  expect(files.filter((file) => !/^dist\/[\w.-]+\.js$/.test(file)).sort()).toEqual([
    'LICENSE',
    'README.md',
    'THIRD-PARTY-NOTICES',
    'bin/redrive.js',
    'package.json',
  ]);
  const read = async (file: string) => JSON.parse(await readFile(file, 'utf8'));
  const own = await read(join(directory, 'node_modules', '@redrive', 'cli', 'package.json'));
  expect(own).not.toHaveProperty('private');
  expect(own).not.toHaveProperty('dependencies');
  expect((await offline('--version')).stdout).toBe(`${(await read('cli/package.json')).version}\n`);
});

beforeAll(async () => {
  await it.seed(20);
  const us = { url: engine.service.url ?? '', key: it.tenant.key };
  const admin = { url: us.url, key: engine.adminKey };
  const keep = async (name: string, who: typeof us, ...args: string[]) => {
    const { code, stdout, stderr } = await cli.run(who, args);
    if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
    await writeFile(path(name), stdout);
    return stdout;
  };
  const run = await cli.run(us, ['retry', 'run', '--all-failed', '--yes', '--wait', '-o', 'json']);
  const { id } = JSON.parse(run.stdout);
  await keep('jwks.json', us, 'signing-keys', 'list', '-o', 'json');
  await keep('report.json', us, 'retry', 'report', id, '--signed');
  const ledger = await keep('ledger.ndjson', us, 'retry', 'items', id, '-o', 'ndjson');
  const [line = ''] = ledger.split('\n');
  await keep('proof.json', us, 'retry', 'proof', id, JSON.parse(line).deliveryId, '-o', 'json');
  await keep('addenda.json', us, 'retry', 'addenda', id, '-o', 'json');
  const audit = ['--tenant', it.tenant.handle];
  const exported = () => keep('audit.ndjson', admin, 'audit', 'export', ...audit);
  await eventually('the report is in the chain', async () => (await exported()).includes('report.signed'));
  await keep('checkpoints.json', admin, 'audit', 'checkpoints', '-o', 'json', ...audit);
  await exported();
});

describe('report verify', () => {
  const WHOLE = [
    'report',
    'verify',
    'report.json',
    '--jwks',
    'jwks.json',
    '--items',
    'ledger.ndjson',
    '--proof',
    'proof.json',
    '--addenda',
    'addenda.json',
    '-o',
    'json',
  ];

  test('exit 0: the report, its ledger and one line of it', async () => {
    const { code, stdout, stderr } = await offline(...WHOLE);
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('Verified.') });
    expect(JSON.parse(stdout)).toMatchObject({
      verified: true,
      expected: 20,
      delivered: 10,
      failed: 10,
      lines: 20,
    });
  });

  const change = (name: string, by: (text: string) => string) => async () => {
    await writeFile(path('changed'), by(await read(name)));
    return WHOLE.map((word) => (word === name ? 'changed' : word));
  };

  test.each([
    [
      'a report that says more was delivered',
      change('report.json', (text) => {
        const jws = JSON.parse(text);
        const payload = Buffer.from(jws.payload, 'base64url')
          .toString()
          .replace('"delivered":10', '"delivered":20');
        return JSON.stringify({ ...jws, payload: Buffer.from(payload).toString('base64url') });
      }),
      /signature/,
    ],
    ['keys of somebody else', change('jwks.json', () => '{"keys": []}'), /No key of the set/],
    [
      'a ledger without a line',
      change('ledger.ndjson', (text) => text.slice(text.indexOf('\n') + 1)),
      /19 lines/,
    ],
    [
      'a ledger with another line',
      change('ledger.ndjson', (text) => text.replace('"failed"', '"delivered"')),
      /not as it was signed/,
    ],
    [
      'a report that says two things',
      change('report.json', (text) => text.replace('{', '{"payload":"e30",')),
      /no signed report/,
    ],
    [
      'a line that is none of it',
      change('proof.json', (text) => text.replace(/dlv_[^\\"]{4}/, 'dlv_0000')),
      /not in the ledger/,
    ],
  ])('exit 11: %s', async (_, changed, why) => {
    const { code, stdout, stderr } = await offline(...(await changed()));
    expect({ code, stderr }).toEqual({ code: 11, stderr: expect.stringMatching(why) });
    // One sentence.
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(JSON.parse(stdout)).toMatchObject({ verified: false });
  });

  test('exit 11: a report by a key that is trusted, whose counts are not those of its lines', async () => {
    const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true });
    const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'own' }] };
    await writeFile(path('own.json'), JSON.stringify(jwks));
    const { protected: header, payload } = JSON.parse(await read('report.json'));
    const decoded = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString());
    const signs = async (counts: object) => {
      const said = decoded(payload);
      const bytes = Buffer.from(JSON.stringify({ ...said, counts: { ...said.counts, ...counts } }));
      const jws = await new FlattenedSign(bytes)
        .setProtectedHeader({ ...decoded(header), kid: 'own' })
        .sign(privateKey);
      await writeFile(path('forged.json'), JSON.stringify(jws));
      return offline('report', 'verify', 'forged.json', '--jwks', 'own.json', '--items', 'ledger.ndjson');
    };
    expect(await signs({})).toMatchObject({ code: 0 });
    expect(await signs({ delivered: 20, failed: 0 })).toMatchObject({
      code: 11,
      stderr: expect.stringContaining('says that 20 are delivered, and of the lines of its ledger 10 are'),
    });
    expect(await signs({ expected: 21 })).toMatchObject({
      code: 11,
      stderr: expect.stringContaining('does not add up'),
    });
  });

  test('exit 11: the report of another operation', async () => {
    const { code, stderr } = await offline(...WHOLE, '--operation', 'op_01k9z3e5hbe7r9qk2m4n6p8r0s');
    expect({ code, stderr }).toMatchObject({ code: 11, stderr: expect.stringContaining('and not of') });
  });

  test('exit 2: without keys nothing is proved, and a file that is none is named', async () => {
    expect(await offline('report', 'verify', 'report.json')).toMatchObject({ code: 2 });
    expect(await offline('report', 'verify', 'ledger.ndjson', '--jwks', 'jwks.json')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('ledger.ndjson is no JSON'),
    });
  });
});

describe('audit verify', () => {
  const WHOLE = ['audit', 'verify', 'audit.ndjson', 'checkpoints.json', 'report.json', '--jwks', 'jwks.json'];

  test('exit 0: a chain that agrees with the ends that were kept', async () => {
    const { code, stderr } = await offline(...WHOLE);
    expect({ code, stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/agrees with \d+ ends?/),
    });
  });

  test('exit 0: without any it says what that does not show', async () => {
    const { code, stderr } = await offline('audit', 'verify', 'audit.ndjson');
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('is not shown') });
  });

  test('exit 11: an entry that was removed, or changed', async () => {
    const lines = (await read('audit.ndjson')).split('\n');
    await writeFile(path('changed'), [...lines.slice(0, 1), ...lines.slice(2)].join('\n'));
    const removed = await offline(...WHOLE.map((word) => (word === 'audit.ndjson' ? 'changed' : word)));
    expect(removed).toMatchObject({ code: 11, stderr: expect.stringContaining('Entry 2 was removed') });
    await writeFile(
      path('changed'),
      (await read('audit.ndjson')).replace(/"actor":"[^"]+"/, '"actor":"nobody"'),
    );
    const changed = await offline(...WHOLE.map((word) => (word === 'audit.ndjson' ? 'changed' : word)));
    expect(changed).toMatchObject({ code: 11, stderr: expect.stringContaining('Not verified:') });
  });

  test('exit 11: a chain that was cut off, by the end that stands beside the checkpoints', async () => {
    const lines = (await read('audit.ndjson')).trimEnd().split('\n');
    await writeFile(path('changed'), `${lines.slice(0, -1).join('\n')}\n`);
    const cut = await offline('audit', 'verify', 'changed', 'checkpoints.json', '--jwks', 'jwks.json');
    expect(cut).toMatchObject({
      code: 11,
      stderr: expect.stringContaining(`Entry ${lines.length} is missing at the end`),
    });
  });

  test('exit 11: a line with more than what was sealed', async () => {
    for (const more of ['"approvedBy":"actor:ceo"', '"actor":"actor:ceo"']) {
      await writeFile(path('changed'), (await read('audit.ndjson')).replace('{', `{${more},`));
      const { code, stderr } = await offline('audit', 'verify', 'changed');
      expect({ code, stderr }).toEqual({ code: 11, stderr: expect.stringContaining('Line 1 is no entry') });
    }
  });

  test('exit 11: an export without an entry', async () => {
    for (const text of ['', '\n']) {
      await writeFile(path('changed'), text);
      const { code, stdout, stderr } = await offline('audit', 'verify', 'changed', '-o', 'json');
      expect({ code, stderr }).toEqual({ code: 11, stderr: expect.stringContaining('holds no entry') });
      expect(JSON.parse(stdout)).toMatchObject({ verified: false, entries: 0 });
    }
    const kept = await offline('audit', 'verify', 'changed', 'report.json', '--jwks', 'jwks.json');
    expect(kept).toMatchObject({ code: 11, stderr: expect.stringContaining('missing at the end') });
  });

  test('exit 0: of a pipe, which can be read once', async () => {
    const verify = async (name: string) => {
      const pipe = path(`pipe-of-${name}`);
      makePipe(pipe);
      const [verdict] = await Promise.all([
        offline('audit', 'verify', pipe),
        writeFile(pipe, await read(name)),
      ]);
      return verdict;
    };
    expect(await verify('audit.ndjson')).toMatchObject({ code: 0 });
    await writeFile(path('changed'), (await read('audit.ndjson')).split('\n').slice(1).join('\n'));
    expect(await verify('changed')).toMatchObject({ code: 11, stderr: expect.stringContaining('removed') });
  });

  test('exit 2: what is no file is named', async () => {
    for (const name of ['none.ndjson', '.'])
      expect(await offline('audit', 'verify', name)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(`${name} cannot be read`),
      });
  });
});
