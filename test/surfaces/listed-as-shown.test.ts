import { describe, expect, test } from '@jest/globals';
import type { DeliveryFilter } from '../../src/domain/operations/selection.ts';
import { DELIVERY_STATES, type DeliveryState } from '../../src/domain/sending/delivery-state.ts';
import { dispatchStatus, withStatus } from '../../src/surfaces/jack-henry/dispatch-status.ts';
import { SELECTED_BY, ZEN_STATUSES, zenStatus } from '../../src/surfaces/zen-mesh/delivery-status.ts';

/** A delivery is in the list of the status that it shows, and in no other. */

interface Facts {
  state: DeliveryState;
  open: boolean;
  attempts: number;
}

/** All that a delivery can be; one that is pending or unknown is open. */
const EVERY: Facts[] = DELIVERY_STATES.flatMap((state) =>
  [true, false].flatMap((open) => [0, 1].map((attempts) => ({ state, open, attempts }))),
).filter(({ state, open }) => open || (state !== 'pending' && state !== 'unknown'));

function selects(filter: DeliveryFilter, { state, open, attempts }: Facts): boolean {
  const { state: states = [], open: askedOpen, attempted, undeliveredOpen, ...others } = filter;
  expect(others).toEqual({});
  return (
    states.includes(state) &&
    (askedOpen ?? open) === open &&
    (attempted ?? attempts > 0) === attempts > 0 &&
    (state === 'delivered' || (undeliveredOpen ?? open) === open)
  );
}

describe.each(EVERY)('a delivery that is $state, open: $open, attempts: $attempts', (facts) => {
  test('is listed by Zen Mesh under the status that it shows', () => {
    const shown = zenStatus(facts);
    expect(ZEN_STATUSES.filter((status) => selects(SELECTED_BY[status], facts))).toEqual(
      shown === 'dropped' ? [] : [shown],
    );
  });

  test('is selected by Jack Henry by each list of statuses that has the one that it shows', () => {
    const shown = dispatchStatus(facts);
    for (const succeeded of [[], ['succeeded']] as const)
      for (const failed of [[], ['failed']] as const)
        for (const pending of [[], ['pending']] as const) {
          const statuses = [...succeeded, ...failed, ...pending];
          expect([statuses, selects(withStatus(statuses), facts)]).toEqual([
            statuses,
            statuses.includes(shown as never),
          ]);
        }
  });
});
