import { startService } from '../../../src/service.ts';

/** A worker in a process of its own, for tests that kill it; its options come as JSON in ENGINE_OPTIONS. */
const { masterKey, ...options } = JSON.parse(process.env.ENGINE_OPTIONS ?? '{}');
const service = await startService({
  ...options,
  masterKey: Buffer.from(masterKey, 'base64'),
  roles: { api: false, worker: true },
});
process.once('SIGTERM', () => {
  service.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
process.stdout.write('started\n');
