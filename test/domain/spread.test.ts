import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Spreadable, spread } from '../../src/domain/spread.ts';

const anyEndpoints = fc
  .array(
    fc.record({
      tenantId: fc.constantFrom('a', 'b', 'c', 'd'),
      inFlight: fc.nat({ max: 8 }),
      slow: fc.boolean(),
    }),
    { maxLength: 24 },
  )
  .map((endpoints): Spreadable[] => endpoints.map((endpoint, n) => ({ ...endpoint, endpointId: `e${n}` })));

const anyScene = fc
  .record({
    endpoints: anyEndpoints,
    sockets: fc.integer({ min: 1, max: 256 }),
    turn: fc.nat(),
    share: fc.nat({ max: 100 }),
  })
  .map(({ share, ...scene }) => ({ ...scene, free: Math.floor((scene.sockets * share) / 100) }));

function always(
  holds: (
    scene: { endpoints: Spreadable[]; free: number; sockets: number },
    counts: Map<string, number>,
  ) => void,
): void {
  fc.assert(
    fc.property(anyScene, ({ endpoints, free, sockets, turn }) => {
      const given = spread(endpoints, free, sockets, turn);
      expect(new Set(given.map((g) => g.endpointId)).size).toBe(given.length);
      holds({ endpoints, free, sockets }, new Map(given.map((g) => [g.endpointId, g.count])));
    }),
    { numRuns: 500 },
  );
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, n) => total + n, 0);
}

/** What one endpoint may have in flight when it is not alone. */
function capOf(endpoints: Spreadable[], sockets: number): number {
  return endpoints.length === 1 ? sockets : Math.ceil((1.5 * sockets) / endpoints.length);
}

describe('spreading sockets', () => {
  test('gives no more than what is free, and only to those that asked', () => {
    always(({ endpoints, free }, counts) => {
      expect(sum(counts.values())).toBeLessThanOrEqual(free);
      for (const [id, count] of counts) {
        expect(count).toBeGreaterThan(0);
        expect(endpoints.some((endpoint) => endpoint.endpointId === id)).toBe(true);
      }
    });
  });

  test('lets no endpoint grow past one and a half of an equal share while it is not alone', () => {
    always(({ endpoints, sockets }, counts) => {
      for (const { endpointId, inFlight } of endpoints)
        if (counts.has(endpointId))
          expect(inFlight + (counts.get(endpointId) ?? 0)).toBeLessThanOrEqual(
            Math.max(1, capOf(endpoints, sockets)),
          );
    });
  });

  test('lets all endpoints that just timed out hold a quarter together, and at least one', () => {
    always(({ endpoints, sockets }, counts) => {
      const slow = endpoints.filter((endpoint) => endpoint.slow);
      const given = sum(slow.map((endpoint) => counts.get(endpoint.endpointId) ?? 0));
      const held = sum(slow.map((endpoint) => endpoint.inFlight));
      if (given > 0) expect(given + held).toBeLessThanOrEqual(Math.max(1, Math.floor(sockets / 4)));
    });
  });

  test('leaves a socket free only where nobody may have it', () => {
    always(({ endpoints, free, sockets }, counts) => {
      if (sum(counts.values()) === free) return;
      const cap = Math.max(1, capOf(endpoints, sockets));
      for (const { endpointId, inFlight, slow } of endpoints)
        if (!slow) expect(inFlight + (counts.get(endpointId) ?? 0)).toBeGreaterThanOrEqual(cap);
    });
  });

  test('gives tenants with room alike, whatever the number of their endpoints', () => {
    always(({ endpoints, sockets }, counts) => {
      const cap = capOf(endpoints, sockets);
      const roomy = (tenantId: string) =>
        endpoints.some(
          (e) => e.tenantId === tenantId && !e.slow && e.inFlight + (counts.get(e.endpointId) ?? 0) < cap,
        );
      const given = (tenantId: string) =>
        sum(endpoints.filter((e) => e.tenantId === tenantId).map((e) => counts.get(e.endpointId) ?? 0));
      for (const tenantId of ['a', 'b', 'c', 'd'].filter(roomy))
        for (const other of ['a', 'b', 'c', 'd'])
          expect(given(tenantId)).toBeGreaterThanOrEqual(given(other) - 1);
    });
  });

  test('comes round to every endpoint, however few sockets are free at a time', () => {
    const anySizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(
        anySizes,
        fc.integer({ min: 1, max: 4 }),
        fc.nat({ max: 1_000 }),
        (sizes, free, firstTurn) => {
          const endpoints = sizes.flatMap((size, tenant) =>
            Array.from({ length: size }, (_, n) => ({
              endpointId: `${tenant}/${n}`,
              tenantId: `${tenant}`,
              inFlight: 0,
              slow: false,
            })),
          );
          const met = new Set<string>();
          const turns = sizes.length * Math.max(...sizes);
          for (let turn = firstTurn; turn < firstTurn + turns; turn++)
            for (const { endpointId } of spread(endpoints, free, 128, turn)) met.add(endpointId);
          expect(met.size).toBe(endpoints.length);
        },
      ),
    );
  });
});

describe('sockets that are kept', () => {
  const endpoint = (endpointId: string, inFlight: number): Spreadable => ({
    endpointId,
    tenantId: endpointId,
    inFlight,
    slow: false,
  });

  test('go to endpoints with nothing in flight, one each', () => {
    const endpoints = [endpoint('busy', 90), endpoint('new', 0), endpoint('other', 0)];
    const given = new Map(spread(endpoints, 32, 128, 0, 0).map((g) => [g.endpointId, g.count]));
    expect(given).toEqual(
      new Map([
        ['new', 1],
        ['other', 1],
      ]),
    );
  });

  test('are not taken by the one endpoint there is', () => {
    expect(spread([endpoint('only', 0)], 128, 128, 0, 96)).toEqual([{ endpointId: 'only', count: 96 }]);
  });
});
