import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { filesFor, openFilesLimit } from '../../src/worker/open-files.ts';

describe('the files that a worker may open', () => {
  test('bound the sockets beyond those that are always there, and the worker knows what it would want', () => {
    expect(filesFor(20_000, 3_200, 4_096)).toEqual({
      ...{ limit: 20_000, wanted: 19_264, spareSockets: 4_096, mostSockets: 18_976 },
    });
    expect(filesFor(10_000, 3_200, 4_096)).toMatchObject({ wanted: 19_264, spareSockets: 390 });
    expect(filesFor(1_024, 3_200, 4_096)).toMatchObject({ spareSockets: 0, mostSockets: 512 });
    expect(filesFor(Number.POSITIVE_INFINITY, 3_200, 4_096)).toMatchObject({ spareSockets: 4_096 });
  });

  test('are enough for all spare sockets exactly where no more is wanted than there is', () => {
    fc.assert(
      fc.property(
        fc.nat(50_000),
        fc.nat(5_000),
        fc.integer({ min: 1, max: 5_000 }),
        (limit, always, spare) => {
          const { wanted, spareSockets } = filesFor(limit, always, spare);
          expect(spareSockets === spare).toBe(wanted <= limit);
        },
      ),
    );
  });

  test('are asked of the system', async () => {
    expect(await openFilesLimit()).toBeGreaterThan(0);
  });
});
