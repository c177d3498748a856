import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { deliveryQueryOf } from '../../console/src/api/delivery-query.ts';
import { inputSome, readSearch, writeSearch } from '../../console/src/api/search-input.ts';
import { curlFor, quoted } from '../../console/src/screens/recover/curl.ts';
import { selectionOf, selectionSearch } from '../../console/src/screens/recover/selection.ts';
import { selectionWords } from '../../console/src/screens/recover/selection-words.ts';

const text = fc.string({ minLength: 1 });

describe('the parameters of a URL', () => {
  test('of which only some are known leave out the others', () => {
    expect(inputSome(['failed', 'lost'], ['failed', 'delivered'])).toEqual(['failed']);
    expect(inputSome('delivered', ['failed', 'delivered'])).toEqual(['delivered']);
    expect(inputSome(undefined, ['failed'])).toBeUndefined();
    expect(inputSome('lost', ['failed'])).toBeUndefined();
  });

  test('are read as they were written: a text each, or several', () => {
    const name = fc.stringMatching(/^[a-z][A-Za-z]{0,9}$/);
    const search = fc.dictionary(name, fc.oneof(text, fc.array(text, { minLength: 2 })), {
      noNullPrototype: true,
    });
    fc.assert(
      fc.property(search, (each) => {
        expect(readSearch(writeSearch(each))).toEqual(each);
      }),
    );
  });

  test('give a filter, of which what is no member of it is left out', () => {
    expect(
      deliveryQueryOf({ state: 'failed', httpStatus: ['503', 'x'], key: 'k1', from: '', admin: 'true' }),
    ).toEqual({ state: ['failed'], httpStatus: [503], key: 'k1' });
  });
});

describe('a selection', () => {
  test('comes back from the URL that it was written into', () => {
    const selections = [
      { deliveryIds: ['dlv_1', 'dlv_2'] },
      { outage: 'out_1' },
      { failuresOf: 'op_1' },
      { remainderOf: 'op_1' },
      { filter: { endpointIds: ['end_1'] } },
      { filter: { state: ['failed', 'unknown'], endpointIds: ['end_1'], httpStatus: [503] } },
    ];
    for (const selection of selections)
      expect(selectionOf(readSearch(writeSearch(selectionSearch(selection))))).toEqual(selection);
  });

  test('of any state is written as such, for without one failures are meant', () => {
    expect(selectionSearch({ filter: { key: 'k1' } })).toEqual({ key: 'k1', state: 'any' });
    expect(deliveryQueryOf({ key: 'k1', state: 'any' })).toEqual({ key: 'k1' });
  });

  test('of a filter that names no state is of failures', () => {
    expect(selectionOf({ endpointIds: 'end_1' })).toEqual({
      filter: { state: ['failed'], endpointIds: ['end_1'] },
    });
  });

  test('reads as a sentence', () => {
    const names = { endpoint: () => 'warehouse', time: (at: string) => at.slice(11, 16) };
    const words = (selection: Record<string, unknown>) => selectionWords(selection, names);
    expect(
      words({
        filter: {
          state: ['failed'],
          endpointIds: ['end_1'],
          faultCodes: ['http_5xx', 'timeout'],
          from: '2026-11-03T02:00:00Z',
          to: '2026-11-03T05:00:00Z',
        },
      }),
    ).toBe(
      'All deliveries that are failed, for warehouse, because of server error (5xx) or no answer in time, accepted from 02:00 to 05:00.',
    );
    expect(words({ filter: {} })).toBe('All deliveries, whatever their state.');
    expect(words({ deliveryIds: ['dlv_1'] })).toBe('1 delivery that you picked.');
  });
});

test('a command line has each text as one word of the shell, and the key nowhere', () => {
  expect(quoted("it's")).toBe(`'it'\\''s'`);
  const command = curlFor('http://127.0.0.1:4400', 'POST', '/api/v1/retries/plans', {
    reason: "customer's request",
  });
  expect(command).toContain('-H "authorization: Bearer $REDRIVE_KEY"');
  expect(command).toContain(`'{"reason":"customer'\\''s request"}'`);
});
