import { startService } from '../../../src/service.ts';
import { type CrashPoint, installCrashPoints } from '../../../src/telemetry/crash-points.ts';
import { createLogger } from '../../../src/telemetry/log.ts';

// An API or a worker in a process of its own; its servers, and the point where it is to crash, are in the environment.
const { masterKey, otherMasterKey, ...options } = JSON.parse(process.env.SERVICE_OPTIONS ?? '');
const crash: { at: CrashPoint; after: number } | null = JSON.parse(process.env.CRASH ?? 'null');

if (crash) {
  let left = crash.after;
  installCrashPoints((point) => {
    if (point !== crash.at) return;
    left -= 1;
    if (left < 0) process.kill(process.pid, 'SIGKILL');
  });
}

const service = await startService({
  ...options,
  masterKey: Buffer.from(masterKey, 'base64'),
  config: {
    ...options.config,
    ...(otherMasterKey ? { otherMasterKey: Buffer.from(otherMasterKey, 'base64') } : {}),
  },
  log: createLogger({ level: 'warn', destination: { write: (line) => void process.stderr.write(line) } }),
});
process.stdout.write(`started ${service.url ?? ''}\n`);
process.once('SIGTERM', () => {
  service.stop().then(
    () => process.stdout.write('stopped\n'),
    (error: Error) => process.stderr.write(`did not stop: ${error.message}\n`),
  );
});
