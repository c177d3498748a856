import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { type Config, loadConfig } from './config/config.ts';
import { ROLES, type Role } from './config/demo-profile.ts';
import { linkOriginOf } from './config/public-origin.ts';
import { type Demo, startDemo } from './embedded/demo/demo.ts';
import { type Parts, startEmbeddedParts } from './embedded/embedded-parts.ts';
import { describeListenError, listenProblem } from './embedded/listen-problem.ts';
import { StartupProblem } from './embedded/startup-problem.ts';
import { createReport, type Report, silentReport } from './embedded/steps.ts';
import { terminalInput } from './embedded/terminal-input.ts';
import { describeMigration, tellsProgress } from './migration-words.ts';
import { type Service, startService } from './service.ts';
import { listenForStopSignals, type StopSignals } from './stop-signals.ts';
import type { MigrationProgress } from './store/db/batches.ts';
import { databaseProblem } from './store/db/database-problem.ts';
import { type MigrateOptions, migrate, pendingMigrations } from './store/db/migrate.ts';
import { createLogger, type Log, logInto } from './telemetry/log.ts';

/** Longer than any request may take, and what comes after it: a process that drains for longer will never be done. */
const DRAIN_WITHIN_MS = 90_000;

// By itself V8 lets the heap of a sender grow to a multiple of what is alive in it, however much memory that is.
setFlagsFromString('--heap-growing-percent=60');

// A terminal that is gone must not end the process before it has ended its servers.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

process.exit(await main(process.argv[2] ?? 'all', process.argv[3]));

async function main(wanted: string, how: string | undefined): Promise<number> {
  const role = ROLES.find((name) => name === wanted);
  if (role === undefined) return complain(`There is no role ${wanted}: use one of ${ROLES.join(', ')}.`);
  const onlyPrepare = role === 'migrate' && how === 'prepare';
  if (how !== undefined && !onlyPrepare)
    return complain(`There is no ${role} ${how}: the only word behind a role is \`migrate prepare\`.`);
  const loaded = loadConfig(process.env, role);
  if (!loaded.ok) return complain(...loaded.problems);
  const problem = roleProblem(role, loaded.config);
  if (problem !== undefined) return complain(problem);
  const signals = listenForStopSignals();
  let surprised = false;
  // To end here and now would leave the embedded servers behind.
  process.on('uncaughtException', (error) => {
    surprised = true;
    complain(error.stack ?? error.message);
    signals.request();
  });
  try {
    const code = await run(role, loaded.config, signals, onlyPrepare);
    return surprised ? 1 : code;
  } catch (error) {
    if (error instanceof StartupProblem) return complain(error.message);
    throw error;
  }
}

function roleProblem(role: Role, config: Config): string | undefined {
  if (role === 'all') return undefined;
  const missing = [
    config.databaseUrl === undefined ? 'DATABASE_URL' : undefined,
    config.temporalAddress === undefined && role !== 'migrate' ? 'TEMPORAL_ADDRESS' : undefined,
  ].filter((name) => name !== undefined);
  if (missing.length === 0) return undefined;
  return `The role ${role} needs ${missing.join(' and ')}: set what is missing, or use the role all, which starts servers of its own.`;
}

async function run(role: Role, config: Config, signals: StopSignals, onlyPrepare: boolean): Promise<number> {
  if (role === 'migrate') {
    const say = (line: string) => process.stdout.write(`${line}\n`);
    await prepareDatabase(role, config.databaseUrl ?? '', { onlyPrepare, onProgress: tellsProgress(say) });
    return 0;
  }
  // In production standard output holds the log, one JSON object a line.
  const report = role === 'all' ? createReport(process.stdout) : silentReport;
  const check = async () => {
    const problem = role === 'worker' ? undefined : await listenProblem(config.host, config.port);
    if (problem !== undefined) throw new StartupProblem(problem);
  };
  const parts = await startEmbeddedParts({ config, report, signal: signals.stop, check });
  let service: Service | undefined;
  let demo: Demo | undefined;
  const ending = new AbortController();
  try {
    if (signals.stop.aborted) return 0;
    // A first signal lets it get ready, which takes a moment, and then stops it; only a second one does not wait.
    const starting = start(role, config, parts);
    starting.catch(() => {});
    service = await Promise.race([starting, aborted(signals.hurry)]);
    if (service === undefined) return 1;
    sayReady(service, config.demo ? undefined : parts.temporal.uiUrl);
    const { url, newAdminKey } = service;
    if (config.demo && url !== undefined)
      demo = startDemo({
        ...{ config, url, report, uiUrl: parts.temporal.uiUrl, databaseUrl: parts.databaseUrl },
        adminKey: config.adminKey ?? newAdminKey,
        linkOrigin: linkOriginOf(config, url),
        input: await terminalInput(),
        logFile: logFile(config),
        output: process.stdout,
        signal: ending.signal,
      });
    const reason = await Promise.race([parts.broken, aborted(signals.stop)]);
    return reason === undefined ? 0 : complain(reason);
  } finally {
    ending.abort();
    await stopAll({ service, demo, parts, report, hurry: signals.hurry });
  }
}

async function start(role: Role, config: Config, parts: Parts): Promise<Service> {
  await prepareDatabase(role, parts.databaseUrl, { onProgress: tellsProgress(showsProgress(config)) });
  const { databaseUrl, masterKey } = parts;
  // One of another's is found by Temporal's own rules, which also know of namespace, TLS and API key.
  const temporal = config.temporalAddress === undefined ? parts.temporal : {};
  const roles = { api: role !== 'worker', worker: role !== 'api' };
  try {
    return await startService({
      ...{ config, databaseUrl, temporal, roles, masterKey },
      // Thousands of lines of JSON would hide what the demo has to show.
      ...(config.demo ? { log: fileLog(config) } : {}),
    });
  } catch (error) {
    const { syscall } = error as NodeJS.ErrnoException;
    if (syscall !== 'listen') throw error;
    throw new StartupProblem(describeListenError(error as NodeJS.ErrnoException, config.host, config.port));
  }
}

function logFile(config: Config): string {
  return join(config.dataDir, 'redrive.log');
}

function fileLog(config: Config): Log {
  try {
    return createLogger({ level: config.logLevel, destination: logInto(logFile(config)) });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StartupProblem(
      `The log ${logFile(config)} cannot be written (${code}): make it writable, or set REDRIVE_DATA_DIR to another directory.`,
    );
  }
}

/** The demo ends with all addresses; without it they are few enough for one line. */
function sayReady({ url, newAdminKey }: Service, uiUrl: string | undefined): void {
  const ui = uiUrl === undefined ? '' : `; Temporal's own pages are at ${uiUrl}`;
  const where = url === undefined ? 'as a worker' : `at ${url}`;
  process.stdout.write(`✔ Redrive: ready ${where} after ${process.uptime().toFixed(1)} s${ui}\n`);
  if (newAdminKey === undefined) return;
  process.stdout.write(
    `  The administrator's API key: ${newAdminKey}\n  Keep it, it cannot be shown again. To use a key of your own, start with REDRIVE_ADMIN_KEY set to it.\n`,
  );
}

/** `all` and `migrate` bring the schema up to date; in production the others find it so, as they may not change it. */
async function prepareDatabase(role: Role, url: string, options: MigrateOptions): Promise<void> {
  try {
    const changes = role === 'all' || role === 'migrate';
    const result = await (changes ? migrate(url, options) : pendingMigrations(url));
    if (!result.ok) throw new StartupProblem(result.problem);
    for (const warning of result.warnings ?? []) process.stderr.write(`${warning}\n`);
    if (role === 'migrate') process.stdout.write(`${describeMigration(result)}\n`);
  } catch (error) {
    const problem = databaseProblem(error, url);
    throw problem === undefined ? error : new StartupProblem(problem);
  }
}

/** Says on a terminal, or in a log, how far a migration has come. */
function showsProgress(config: Config): (line: string, fields: MigrationProgress) => void {
  let log: Log | undefined;
  return (line, fields) => {
    if (config.demo) process.stdout.write(`  … ${line}\n`);
    else {
      log ??= createLogger({ level: config.logLevel });
      log.info(fields, 'migration.progress');
    }
  };
}

/** Ends the service first, while its servers and receivers are there; a second signal waits for nothing any more. */
async function stopAll(running: {
  service: Service | undefined;
  demo: Demo | undefined;
  parts: Parts;
  report: Report;
  hurry: AbortSignal;
}): Promise<void> {
  const { service, demo, parts, report, hurry } = running;
  const step = report('Stopping');
  try {
    await Promise.race([service?.stop(), aborted(hurry), delay(DRAIN_WITHIN_MS, undefined, { ref: false })]);
  } finally {
    await demo?.stop();
    const stopping = parts.stop({ hurry: hurry.aborted });
    await Promise.race([stopping, aborted(hurry).then(() => parts.stop({ hurry: true }))]);
    step.done('nothing is left running');
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

function complain(...sentences: string[]): number {
  for (const sentence of sentences) process.stderr.write(`${sentence}\n`);
  return 1;
}
