import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalJson } from '../../../src/domain/json/canonical-json.ts';
import type { OperationItem } from '../../../src/domain/operations/operation-item.ts';
import { EXCLUSION_REASONS } from '../../../src/domain/operations/selection.ts';
import { ledgerLeaf, ledgerLine } from '../../../src/domain/proof/ledger-line.ts';
import { EXECUTION_STATES } from '../../../src/domain/sending/execution-state.ts';
import { anyId } from '../../support/store/any-id.ts';

const id = fc.uuid().map(anyId);
const time = fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true });
const text = fc.string({ unit: 'binary' });

/** Leaves members out where they may be absent. */
function some<T>(record: fc.Arbitrary<T>): fc.Arbitrary<Partial<T>> {
  return record.chain((whole) =>
    fc
      .subarray(Object.keys(whole as object))
      .map((names) => Object.fromEntries(names.map((name) => [name, whole[name as keyof T]])) as Partial<T>),
  );
}

const event = { eventId: id, eventType: text };
const ofEvent = some(fc.record({ externalId: text, key: text }));

const item = fc
  .tuple(
    fc.record({
      ...event,
      kind: fc.constant('item'),
      executionId: id,
      deliveryId: id,
      endpointId: id,
      state: fc.constantFrom(...EXECUTION_STATES),
      attempts: fc.nat(),
      dueAt: time,
      mayHaveArrived: fc.boolean(),
      waitingFor: fc.constant<[]>([]),
    }),
    ofEvent,
    some(
      fc.record({
        newDeliveryId: id,
        reason: text,
        faultCode: text,
        httpStatus: fc.integer({ min: 100, max: 599 }),
        tookOver: id,
        supersededBy: id,
        finishedAt: time,
      }),
    ),
  )
  .map((parts) => Object.assign({}, ...parts) as OperationItem);

const exclusion = fc
  .tuple(
    fc.record({
      ...event,
      kind: fc.constant('exclusion'),
      deliveryId: id,
      endpointId: id,
      reason: fc.constantFrom(...EXCLUSION_REASONS),
      createdAt: time,
    }),
    ofEvent,
    some(fc.record({ joinedExecutionId: id, resentBy: id, heldBy: id })),
  )
  .map((parts) => Object.assign({}, ...parts) as OperationItem);

describe('a line of a ledger', () => {
  test.each([
    ['item', item],
    ['exclusion', exclusion],
  ])('that is an %s is written as canonical JSON', (_, any) => {
    fc.assert(
      fc.property(any, (line) => {
        expect(ledgerLeaf(line)).toBe(canonicalJson(JSON.parse(JSON.stringify(ledgerLine(line)))));
      }),
    );
  });
});
