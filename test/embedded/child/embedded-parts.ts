import { loadConfig } from '../../../src/config/config.ts';
import { startEmbeddedParts } from '../../../src/embedded/embedded-parts.ts';
import { silentReport } from '../../../src/embedded/steps.ts';

// Starts the embedded parts of the environment's data directory, says where they are, and stops them on SIGTERM.
const loaded = loadConfig(process.env);
if (!loaded.ok) throw new Error(loaded.problems.join(' '));
const { signal } = new AbortController();
const parts = await startEmbeddedParts({ config: loaded.config, report: silentReport, signal });
process.stdout.write(`${JSON.stringify({ databaseUrl: parts.databaseUrl, temporal: parts.temporal })}\n`);
const alive = setInterval(() => {}, 60_000);
process.once('SIGTERM', async () => {
  await parts.stop();
  clearInterval(alive);
});
