import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Sockets, type Spreadable, spread } from '../../../src/domain/sending/spread.ts';
import { anyId } from '../../support/store/any-id.ts';

const anyEndpoints = fc
  .array(
    fc.record({
      tenantId: fc.constantFrom('a', 'b', 'c', 'd').map(anyId),
      inFlight: fc.nat({ max: 8 }),
      slow: fc.boolean(),
      proven: fc.boolean(),
    }),
    { maxLength: 24 },
  )
  .map((endpoints): Spreadable[] =>
    endpoints.map((endpoint, n) => ({ ...endpoint, endpointId: anyId(`e${n}`) })),
  );

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
      const given = spread(endpoints, socketsFor(endpoints, free, sockets), turn);
      expect(new Set(given.map((g) => g.endpointId)).size).toBe(given.length);
      holds({ endpoints, free, sockets }, new Map(given.map((g) => [g.endpointId, g.count])));
    }),
    { numRuns: 500 },
  );
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, n) => total + n, 0);
}

/** The sockets that these endpoints hold, as a sender would say it. */
function socketsFor(endpoints: Spreadable[], free: number, all: number, shared = free): Sockets {
  const held = (which: (endpoint: Spreadable) => boolean) =>
    sum(endpoints.filter(which).map(({ inFlight }) => inFlight));
  return {
    free,
    all,
    shared,
    heldByTenant: new Map(endpoints.map(({ tenantId }) => [tenantId, held((e) => e.tenantId === tenantId)])),
    heldBySlow: held(({ slow }) => slow),
    heldByUnproven: held(({ proven }) => !proven),
  };
}

/** The most requests that one endpoint may have in flight when it is not alone: its part of its tenant's share. */
function capOf(endpoints: Spreadable[], sockets: number, { tenantId }: Pick<Spreadable, 'tenantId'>): number {
  if (endpoints.length === 1) return sockets;
  const tenants = new Set(endpoints.map((endpoint) => endpoint.tenantId)).size;
  const own = endpoints.filter((endpoint) => endpoint.tenantId === tenantId).length;
  return Math.max(1, Math.ceil((1.5 * sockets) / (tenants * own)));
}

describe('spreading sockets', () => {
  test('gives no more than is free, and only to those that asked', () => {
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
      for (const endpoint of endpoints)
        if (counts.has(endpoint.endpointId))
          expect(endpoint.inFlight + (counts.get(endpoint.endpointId) ?? 0)).toBeLessThanOrEqual(
            capOf(endpoints, sockets, endpoint),
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

  test('lets all endpoints that nothing is known of hold a half together', () => {
    always(({ endpoints, sockets }, counts) => {
      const unproven = endpoints.filter(({ proven }) => !proven);
      const given = sum(unproven.map(({ endpointId }) => counts.get(endpointId) ?? 0));
      const held = sum(unproven.map(({ inFlight }) => inFlight));
      if (given > 0) expect(given + held).toBeLessThanOrEqual(Math.max(1, Math.floor(sockets / 2)));
    });
  });

  test('leaves a socket free only where nobody may have it', () => {
    always(({ endpoints, free, sockets }, counts) => {
      if (sum(counts.values()) === free) return;
      for (const endpoint of endpoints.filter(({ slow, proven }) => !slow && proven))
        expect(endpoint.inFlight + (counts.get(endpoint.endpointId) ?? 0)).toBeGreaterThanOrEqual(
          capOf(endpoints, sockets, endpoint),
        );
    });
  });

  test('evens out what tenants hold, whatever the number of their endpoints and how slowly they give it back', () => {
    always(({ endpoints, sockets }, counts) => {
      const of = (tenantId: string) => endpoints.filter((endpoint) => endpoint.tenantId === tenantId);
      const given = (tenantId: string) =>
        sum(of(tenantId).map(({ endpointId }) => counts.get(endpointId) ?? 0));
      const held = (tenantId: string) => given(tenantId) + sum(of(tenantId).map(({ inFlight }) => inFlight));
      const roomy = (tenantId: string) =>
        of(tenantId).some(
          (endpoint) =>
            !endpoint.slow &&
            endpoint.proven &&
            endpoint.inFlight + (counts.get(endpoint.endpointId) ?? 0) < capOf(endpoints, sockets, endpoint),
        );
      // Nobody was given a socket that one with room and with fewer could have had.
      for (const tenantId of ['a', 'b', 'c', 'd'].filter(roomy))
        for (const other of ['a', 'b', 'c', 'd'].filter((each) => given(each) > 0))
          expect(held(tenantId)).toBeGreaterThanOrEqual(held(other) - 1);
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
              endpointId: anyId(`${tenant}/${n}`),
              tenantId: anyId(`${tenant}`),
              inFlight: 0,
              slow: false,
              proven: true,
            })),
          );
          const met = new Set<string>();
          const turns = sizes.length * Math.max(...sizes);
          for (let turn = firstTurn; turn < firstTurn + turns; turn++)
            for (const { endpointId } of spread(endpoints, socketsFor(endpoints, free, 128), turn))
              met.add(endpointId);
          expect(met.size).toBe(endpoints.length);
        },
      ),
    );
  });
});

describe('sockets that are kept', () => {
  const endpoint = (name: string, inFlight: number): Spreadable => ({
    endpointId: anyId(name),
    tenantId: anyId(name),
    inFlight,
    slow: false,
    proven: true,
  });

  test('go to endpoints with nothing in flight, one each', () => {
    const endpoints = [endpoint('busy', 90), endpoint('new', 0), endpoint('other', 0)];
    const given = new Map(
      spread(endpoints, socketsFor(endpoints, 32, 128, 0), 0).map((g) => [g.endpointId, g.count]),
    );
    expect(given).toEqual(
      new Map([
        ['new', 1],
        ['other', 1],
      ]),
    );
  });

  test('are not taken by the one endpoint there is', () => {
    const only = [endpoint('only', 0)];
    expect(spread(only, socketsFor(only, 128, 128, 96), 0)).toEqual([{ endpointId: 'only', count: 96 }]);
  });
});
