import { expect } from '@jest/globals';
import { use } from '../use.ts';
import { readLedger, violationsOf } from './ledger.ts';
import { createTestStore, type TestStore } from './test-store.ts';
import { undeliveredViolations } from './undelivered.ts';

/** A store of their own for the tests of a file or `describe`; where it is checked, its ledger holds the rules after them. */
export function useStore({
  checked = false,
  ...options
}: NonNullable<Parameters<typeof createTestStore>[0]> & { checked?: boolean } = {}): TestStore {
  return use(
    () => createTestStore(options),
    async (store) => {
      try {
        if (checked) expect(violationsOf(await readLedger(store.pool))).toEqual([]);
        expect(await undeliveredViolations(store.pool)).toEqual([]);
      } finally {
        await store.close();
      }
    },
  );
}
