import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { STATES } from '../../console/src/api/delivery-states.ts';
import { readSearch, writeSearch } from '../../console/src/api/search-input.ts';
import { type Asked, askedIn, draftSearch } from '../../console/src/screens/recover/asked.ts';

/** What a plan was made of, as the URL of a draft: the same, or refused in words. */

const text = fc.string({ minLength: 1 });
const name = fc.stringMatching(/^[a-z0-9]{1,12}$/);
const whole = fc.integer({ min: 1, max: 100_000 });
const percent = fc.oneof(fc.integer({ min: 0, max: 99 }), fc.constant(2.5));
const time = fc
  .date({ min: new Date('2020-01-01'), max: new Date('2035-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString());
const some = <Value>(values: fc.Arbitrary<Value>) => fc.array(values, { minLength: 1, maxLength: 3 });
const members = <Of>(model: { [Member in keyof Of]: fc.Arbitrary<Of[Member]> }) =>
  fc.record(model, { requiredKeys: [] });

/** What this API has, with a state always: none means failures. */
const filter = fc.record(
  {
    state: fc.uniqueArray(fc.constantFrom(...STATES), { minLength: 1 }),
    endpointIds: some(name),
    eventTypes: some(text),
    sources: some(text),
    faultCodes: some(fc.constantFrom('http_5xx', 'timeout')),
    httpStatus: some(fc.integer({ min: 100, max: 999 })),
    ingestionBatchIds: some(text),
    dispatchBatchIds: some(name),
    key: text,
    from: time,
    to: time,
    lastAttemptBefore: time,
    lastAttemptAfter: time,
    pendingLongerThanMs: whole,
    blocking: fc.constant(true),
  },
  { requiredKeys: ['state'] },
);

const select = fc.oneof(
  filter.map((drawn) => ({ filter: drawn })),
  some(name).map((deliveryIds) => ({ deliveryIds })),
  some(name).map((eventIds) => ({ eventIds })),
  some(name).map((executionIds) => ({ executionIds })),
  name.map((outage) => ({ outage })),
  name.map((failuresOf) => ({ failuresOf })),
  name.map((remainderOf) => ({ remainderOf })),
);

const options = {
  ratePerSecond: fc.oneof(whole, fc.constant(0.01)),
  maxConcurrency: whole,
  canary: fc.record({ count: whole, maxFailurePercent: percent }),
  ramp: fc.record({ startPerSecond: whole, everySeconds: whole }),
  haltAtFailurePercent: percent,
  notBefore: time,
  giveUpAfterMs: whole,
  disabledPatienceMs: fc.nat(),
  takeOverScheduled: fc.constant(true),
  onAmbiguous: fc.constantFrom('resend' as const, 'probe' as const, 'hold' as const),
};

const asked: fc.Arbitrary<Asked> = fc.oneof(
  fc.record({
    select,
    mode: fc.constant('retry' as const),
    target: fc.constantFrom('current' as const, 'original' as const),
    newIdentity: fc.constant(false),
    options: members(options),
  }),
  fc.record({
    select,
    mode: fc.constant('replay' as const),
    target: fc.constantFrom('current' as const, 'original' as const),
    newIdentity: fc.boolean(),
    options: members({ ...options, includeResent: fc.constant(true) }),
  }),
) as fc.Arbitrary<Asked>;

/** Only a list of states has no order. */
const sorted = ({ select: { filter: drawn, ...others }, ...rest }: Asked) => ({
  ...rest,
  select: drawn ? { filter: { ...drawn, state: [...(drawn as { state: string[] }).state].sort() } } : others,
});

const plain: Asked = {
  select: { filter: { state: ['failed'] } },
  mode: 'retry',
  target: 'current',
  newIdentity: false,
  options: {},
};

describe('“Change it”', () => {
  test('asks for just the same, whatever a plan was made of', () => {
    fc.assert(
      fc.property(asked, (drawn) => {
        const draft = draftSearch(drawn);
        if (!('search' in draft)) throw new Error(draft.refused);
        expect(sorted(askedIn(readSearch(writeSearch(draft.search))))).toEqual(sorted(drawn));
      }),
    );
  });

  test('asks for the same, or is refused, also where another API has put more into it', () => {
    const extra = fc.dictionary(
      fc.constantFrom('newest', 'attempted', 'state', 'endpointIds', 'blocking', 'tenants', 'x'),
      fc.oneof(fc.constantFrom<unknown[]>([], true, 1, 'any', '', ['a', ''], { ids: ['a'] }), text),
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(asked, extra, extra, extra, (drawn, inSelect, inFilter, inOptions) => {
        const more = {
          ...drawn,
          select: { ...drawn.select, ...inSelect, filter: inFilter },
          options: { ...drawn.options, ...inOptions },
        } as Asked;
        const draft = draftSearch(more);
        if (!('search' in draft)) return;
        const again = askedIn(readSearch(writeSearch(draft.search)));
        expect(again.options).toEqual(more.options);
        if (more.select.outage === undefined && inFilter.state !== undefined)
          expect(sorted(again)).toEqual(sorted(more));
      }),
    );
  });

  test.each<[string, Partial<Asked>, RegExp]>([
    ['options of another API', { options: { matchFilter: true } }, /options\.matchFilter/],
    ['its filter', { select: { filter: { newest: { states: ['failed'] } } } }, /filter\.newest\.states/],
    ['several tenants', { select: { filter: {}, tenants: 'all' } }, /select\.tenants/],
    ['events matched afresh', { select: { afresh: { sources: ['billing'] } } }, /select\.afresh\.sources/],
    ['an empty list', { select: { deliveryIds: [] } }, /select\.deliveryIds/],
    ['an empty list of a filter', { select: { filter: { endpointIds: [] } } }, /filter\.endpointIds/],
    [
      'a long list',
      {
        select: { eventIds: Array.from({ length: 1_000 }, (_, n) => `evt_${n}_01k9z3e5hbe7r9qk2m4n6p8r0s`) },
      },
      /too long for an address/,
    ],
  ])('is refused where an address cannot say %s', (_, part, why) => {
    expect(draftSearch({ ...plain, ...part })).toEqual({ refused: expect.stringMatching(why) });
  });

  test('takes what is off for what is not there, and the window of an outage for the outage', () => {
    expect(draftSearch({ ...plain, options: { takeOverScheduled: false } })).toEqual(draftSearch(plain));
    const select = { outage: 'out_1', filter: { caughtBetween: { from: 'a', to: 'b' } } };
    expect(draftSearch({ ...plain, select })).toMatchObject({ search: { outage: 'out_1' } });
  });
});
