import { expect } from '@jest/globals';
import type { Behaviour } from '../receivers/receiver-behaviour.ts';
import { readLedger, violationsOf } from '../store/ledger.ts';
import { closedAfterEach, use } from '../use.ts';
import { createScene, type Scene } from './recovery-scene.ts';
import { connectTestTemporal, type TemporalClient } from './temporal-client.ts';
import { startTestEngine, type TestEngine } from './test-engine.ts';

/** An engine of their own for the tests of a file or `describe`; where it is checked, its ledger holds the rules after them. */
export function useEngine({
  checked = false,
  ...options
}: NonNullable<Parameters<typeof startTestEngine>[0]> & { checked?: boolean } = {}): TestEngine {
  return use(
    () => startTestEngine(options),
    async (engine) => {
      try {
        if (checked) expect(violationsOf(await readLedger(engine.database.pool))).toEqual([]);
      } finally {
        await engine.close();
      }
    },
  );
}

/** Makes scenes on an engine, which are closed after each test. */
export function useScenes(
  engine: TestEngine,
): (behaviours: Behaviour[], endpoint?: Record<string, unknown>, on?: TestEngine) => Promise<Scene> {
  const own = closedAfterEach();
  return async (behaviours, endpoint = {}, on = engine) => own(await createScene(on, behaviours, endpoint));
}

/** A connection to the run's Temporal server for the tests of a file or `describe`. */
export function useTemporal(): TemporalClient {
  return use(connectTestTemporal, (temporal) => temporal.close());
}
