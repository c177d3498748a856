import type { ServiceOptions } from '../../../src/service.ts';
import { type ChildScript, startChildScript } from '../child-script.ts';
import { eventually } from '../eventually.ts';
import type { TestEngine } from './test-engine.ts';

/** Starts one more worker of an engine in a process of its own, and waits until it polls Temporal. */
export async function startWorkerProcess(
  engine: TestEngine,
  sizes: ServiceOptions['sizes'] = {},
  system: { openFiles?: number } = {},
): Promise<ChildScript> {
  const { log: _, masterKey, ...options } = engine.options;
  const child = startChildScript(new URL('../child/service.ts', import.meta.url), {
    ...system,
    env: {
      SERVICE_OPTIONS: JSON.stringify({
        ...options,
        roles: { api: false, worker: true },
        sizes: { ...options.sizes, ...sizes },
        masterKey: masterKey.toString('base64'),
      }),
    },
  });
  await child.firstLine;
  await eventually(
    'the worker process polls',
    async () => {
      const { rows } = await engine.database.pool.query('select from workers where pid = $1 and polling', [
        child.process.pid,
      ]);
      return rows.length === 1;
    },
    { withinMs: 20_000 },
  );
  return child;
}
