import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import {
  endAll,
  type StartedRedrive,
  startRedrive,
  stillRunning,
} from '../support/engine/started-redrive.ts';
import { eventually } from '../support/eventually.ts';
import { queriedButMissing } from '../support/metrics.ts';
import { inTemporaryDirectory } from '../support/temporary-directory.ts';

const DEMO_WITHIN_MS = 120_000;
const TIMEOUT_MS = 200_000;

test(
  'a first start shows an outage and its recovery, whose report adds up and whose commands work, and leaves an outage to the console; Ctrl-C leaves nothing',
  async () => {
    await inTemporaryDirectory(async (directory) => {
      const redrive = start(directory);
      let processes: number[] = [];
      try {
        await redrive.says('# retry one delivery', DEMO_WITHIN_MS);
        await redrive.says("/api/v1/retries'\n", 5_000);
        const output = redrive.output();
        expect(output).toMatch(
          /administrator's API key: rdk_\S+\n.*cannot be shown again.*REDRIVE_ADMIN_KEY/,
        );

        const report = countsIn(output);
        expect(report.expected).toBeGreaterThan(1_800);
        expect(report.expected).toBeLessThan(2_200);
        expect(report.expected).toBe(sumOf(report) - report.expected);
        const left = failedAt(output, 'deploys');
        // Its circuit opens at the twentieth in a row.
        expect(left).toBeGreaterThanOrEqual(20);
        expect(failedAt(output, 'all')).toBe(report.expected + left);
        // A machine that is busy enough can time out a slow one once more.
        expect(report['+ failed']).toBeGreaterThanOrEqual(9);
        expect(output).toContain('9 at search: HTTP 422');
        expect(output).toContain('none of them twice');

        const answers = await Promise.all(commandsIn(output).map(runInShell));
        expect(answers).toMatchObject([
          { items: [{ state: 'failed' }, { state: 'failed' }, { state: 'failed' }] },
          { state: 'completed_with_failures', counts: { expected: report.expected } },
          { state: expect.any(String), items: [{ became: 'queued' }] },
        ]);
        await redrive.says('Redrive has planned a retry of the ', 5_000);
        const planned = Number(/planned a retry of the (\d+)$/m.exec(output)?.[1]);
        // Its circuit tried it in between.
        expect(planned).toBeGreaterThanOrEqual(left);
        await linkAtTheEnd(redrive);
        const url = /(http:\S+)\/console#code=/.exec(redrive.output())?.[1];
        expect(await queriedButMissing(url)).toEqual([]);
        expect(output.indexOf('#code=')).toBeLessThan(output.indexOf('Closure report'));
        expect(await signInTwice(redrive.output())).toEqual([
          { status: 201, tenant: 'demo' },
          { status: 401, tenant: undefined },
        ]);
        processes = await redrive.descendants();
        // Postgres with its own, Temporal and the receiver, where processes can be listed.
        if (process.platform === 'linux') expect(processes.length).toBeGreaterThan(3);

        await redrive.end('SIGINT');
        expect(await stillRunning(processes)).toEqual([]);
      } finally {
        // Empty when it has ended as it should; otherwise the servers that a test which failed would leave behind.
        processes.push(...(await redrive.descendants()));
        await redrive.end('SIGKILL');
        await endAll(processes);
      }
    });
  },
  TIMEOUT_MS,
);

test(
  'when it is killed in the middle of the demo the receiver ends, and the next start serves what there is',
  async () => {
    await inTemporaryDirectory(async (directory) => {
      const first = start(directory);
      let processes: number[] = [];
      try {
        await first.says('of the tenant demo', DEMO_WITHIN_MS);
        const receiver = Number(/A receiver: process (\d+)/.exec(first.output())?.[1]);
        processes = [...(await first.descendants()), receiver];
        await first.end('SIGKILL');
        await eventually('the receiver has ended', async () => (await stillRunning([receiver])).length === 0);

        const second = start(directory);
        try {
          await second.says('Redrive is running', DEMO_WITHIN_MS);
          const output = second.output();
          expect(output).toMatch(/The demo was loaded by an earlier start/);
          expect(output).toMatch(/The demo's receiver: back on ports \d+ and \d+/);
          expect(output).not.toMatch(/rdk_/);
          const url = /API +(\S+)\/api\/v1/.exec(output)?.[1];
          expect((await fetch(`${url}/healthz`)).status).toBe(200);
          await eventually('it is ready', async () => (await fetch(`${url}/readyz`)).ok, {
            withinMs: 20_000,
          });
          processes.push(...(await second.descendants()));
          await second.end('SIGINT');
          expect(await stillRunning(processes)).toEqual([]);
        } finally {
          processes.push(...(await second.descendants()));
          await second.end('SIGKILL');
        }
      } finally {
        processes.push(...(await first.descendants()));
        await first.end('SIGKILL');
        await endAll(processes);
      }
    });
  },
  TIMEOUT_MS,
);

function start(directory: string): StartedRedrive {
  return startRedrive({ REDRIVE_DATA_DIR: join(directory, 'data'), REDRIVE_PORT: '0' });
}

/** Waits for the second link: the first comes while the outage lasts. */
function linkAtTheEnd(redrive: StartedRedrive): Promise<unknown> {
  return eventually('it gives a fresh link', () => redrive.output().split('#code=').length === 3);
}

/** How many deliveries failed at an endpoint, or at all, in the outage. */
function failedAt(output: string, endpoint: string): number {
  const line = new RegExp(`^ {2}${endpoint} .*?([\\d,]+)$`, 'm').exec(output);
  return Number(line?.[1]?.replaceAll(',', ''));
}

/** What the newest link that it printed is good for, the first time and the second. */
async function signInTwice(output: string): Promise<{ status: number; tenant: string | undefined }[]> {
  const [, origin = '', code] = [...output.matchAll(/(http:\S+)\/console#code=([\w-]+)/g)].at(-1) ?? [];
  const answers: { status: number; tenant: string | undefined }[] = [];
  for (let time = 0; time < 2; time += 1) {
    const response = await fetch(`${origin}/console/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin, 'redrive-console': '1' },
      body: JSON.stringify({ code }),
    });
    const { tenant } = (await response.json()) as { tenant?: { handle: string } };
    answers.push({ status: response.status, tenant: tenant?.handle });
  }
  return answers;
}

/** The lines of the equation, by name. */
function countsIn(output: string): Record<string, number> & { expected: number } {
  const lines = output.matchAll(/^ {2}(expected|[=+] \w+) +([\d,]+)$/gm);
  return {
    expected: 0,
    ...Object.fromEntries(
      [...lines].map(([, name = '', value = '']) => [name, Number(value.replaceAll(',', ''))]),
    ),
  };
}

function sumOf(counts: Record<string, number>): number {
  return Object.values(counts).reduce((sum, value) => sum + value, 0);
}

function commandsIn(output: string): string[] {
  const commands = output.split('\n').filter((line) => line.startsWith('curl '));
  expect(commands).toHaveLength(3);
  return commands;
}

/** Pastes a command; curl fails on anything but 2xx when it is told so. */
async function runInShell(command: string): Promise<unknown> {
  const { stdout } = await promisify(execFile)('sh', ['-c', `${command} --fail-with-body`]);
  return JSON.parse(stdout);
}
