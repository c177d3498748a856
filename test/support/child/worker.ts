import { startService } from '../../../src/service.ts';
import { createLogger } from '../../../src/telemetry/log.ts';

// A worker in a process of its own; what it is to run on is in the environment, as JSON.
const { masterKey, ...options } = JSON.parse(process.env.WORKER_OPTIONS ?? '');
const service = await startService({
  ...options,
  masterKey: Buffer.from(masterKey, 'base64'),
  roles: { api: false, worker: true },
  log: createLogger({ level: 'warn', destination: { write: (line) => void process.stderr.write(line) } }),
});
process.stdout.write('started\n');
process.once('SIGTERM', () => {
  service.stop().then(
    () => process.stdout.write('stopped\n'),
    (error: Error) => process.stderr.write(`did not stop: ${error.message}\n`),
  );
});
