import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { deliveryQueryOf } from '../../console/src/api/delivery-query.ts';
import { inputSome, readSearch, writeSearch } from '../../console/src/api/search-input.ts';
import { curlFor, quoted } from '../../console/src/screens/recover/curl.ts';

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

  test('give a filter: what is no member of it is left out, but what is no value of a member would widen it', () => {
    expect(
      deliveryQueryOf({ state: 'failed', httpStatus: ['503', 'x'], key: 'k1', from: '', admin: 'true' }),
    ).toEqual({ state: ['failed'], httpStatus: [503, 'x'], key: 'k1' });
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
