import { describe, expect, test } from '@jest/globals';
import { deliveryQueryOf } from '../../console/src/api/delivery-query.ts';
import { STATES } from '../../console/src/api/delivery-states.ts';
import { readSearch, writeSearch } from '../../console/src/api/search-input.ts';
import { planWords } from '../../console/src/screens/recover/command-line.ts';
import { selectionOf, selectionSearch } from '../../console/src/screens/recover/selection.ts';
import { selectionWords } from '../../console/src/screens/recover/selection-words.ts';

/** What a recovery is about: in the URL, to the API, and as a sentence. */

const FROM = '2026-11-03T02:00:00Z';
const TO = '2026-11-03T05:00:00Z';

describe('a selection', () => {
  test('comes back from the URL that it was written into', () => {
    const selections = [
      { deliveryIds: ['dlv_1', 'dlv_2'] },
      { eventIds: ['evt_1'] },
      { executionIds: ['exe_1', 'exe_2'] },
      { outage: 'out_1' },
      { failuresOf: 'op_1' },
      { remainderOf: 'op_1' },
      { filter: { state: [...STATES], key: 'k1' } },
      { filter: { state: ['failed'], blocking: true, pendingLongerThanMs: 60_000 } },
      { filter: { state: ['failed', 'unknown'], endpointIds: ['end_1'], httpStatus: [503] } },
    ];
    for (const selection of selections)
      expect(selectionOf(readSearch(writeSearch(selectionSearch(selection))))).toEqual(selection);
  });

  test('of any state names each of them, to the API and in the line to copy, for no state means failures there', () => {
    expect(deliveryQueryOf({ key: 'k1', state: 'any' })).toEqual({ key: 'k1' });
    const select = selectionOf({ key: 'k1', state: 'any' });
    expect(select).toEqual({ filter: { key: 'k1', state: STATES } });
    expect(planWords({ select, mode: 'retry', target: 'current' })).toEqual([
      ...['retry', 'plan'],
      ...STATES.flatMap((state) => ['--state', state]),
      ...['--key', 'k1'],
    ]);
    expect(selectionSearch(select)).toEqual({ key: 'k1', state: 'any' });
  });

  test('of a filter that names no state is of failures', () => {
    expect(selectionOf({ endpointIds: 'end_1' })).toEqual({
      filter: { state: ['failed'], endpointIds: ['end_1'] },
    });
    expect(selectionSearch({ filter: { key: 'k1' } })).toEqual({ key: 'k1', state: ['failed'] });
  });
});

describe('the sentence of a selection', () => {
  const names = { endpoint: () => 'warehouse', time: (at: string) => at.slice(11, 16) };
  const said = (selection: Record<string, unknown>) => selectionWords(selection, names);

  test('says each member of a filter', () => {
    expect(
      said({
        filter: {
          state: ['failed'],
          endpointIds: ['end_1'],
          faultCodes: ['http_5xx', 'timeout'],
          from: FROM,
          to: TO,
        },
      }),
    ).toBe(
      'All deliveries that are failed, for warehouse, because of server error (5xx) or no answer in time, accepted from 02:00 to 05:00.',
    );
    expect(said({ filter: { state: ['pending'], pendingLongerThanMs: 3_600_000, blocking: true } })).toBe(
      'All deliveries that are pending, open for longer than 1 h, that others of their key wait for.',
    );
    expect(said({ filter: { lastAttemptAfter: FROM, lastAttemptBefore: TO, sources: [] } })).toBe(
      'All deliveries that are failed, from none, last tried after 02:00, last tried before 05:00.',
    );
  });

  test('says failures where no state is named, as the API does, and any state only where all are', () => {
    expect(said({ filter: {} })).toBe('All deliveries that are failed.');
    expect(said({ filter: { from: FROM } })).toBe('All deliveries that are failed, accepted since 02:00.');
    expect(said({ filter: { state: [] } })).toBe('All deliveries of no state.');
    expect(said({ filter: { state: [...STATES] } })).toBe('All deliveries, whatever their state.');
  });

  test('says what other APIs select by, and never less than there is', () => {
    expect(said({ deliveryIds: ['dlv_1'] })).toBe('1 delivery that you picked.');
    expect(said({ filter: { state: ['failed'], attempted: true } })).toBe(
      'All deliveries that are failed, narrowed further by attempted.',
    );
    expect(said({ filter: { state: ['failed'] }, tenants: 'all' })).toBe(
      'All deliveries that are failed, of all tenants.',
    );
    expect(said({ afresh: { from: FROM } })).toBe(
      'Events, accepted since 02:00, matched afresh with all endpoints.',
    );
    expect(said({ somethingNew: 1 })).toBe('What this screen has no words for: something new.');
  });
});
