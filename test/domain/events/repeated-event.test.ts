import { describe, expect, test } from '@jest/globals';
import {
  type Held,
  type IdHistory,
  isSuppressed,
  type Repeat,
  repeat,
} from '../../../src/domain/events/repeated-event.ts';
import { anyId } from '../../support/store/any-id.ts';

const history = (held: Record<string, Omit<Held, 'eventId'>> = {}, newestDigest?: string): IdHistory => ({
  firstEventId: anyId('first'),
  held: new Map(
    Object.entries(held).map(([end, each]) => [anyId(end), { eventId: anyId('first'), ...each }]),
  ),
  ...(newestDigest === undefined ? {} : { newestDigest }),
});
const again = (endpoints: string[], more: Partial<Repeat> = {}): Repeat => ({
  eventId: anyId('again'),
  number: 9,
  digest: 'same',
  endpoints: endpoints.map((endpointId) => ({
    endpointId: anyId(endpointId),
    enabled: true,
    ordered: false,
  })),
  ...more,
});

test.each([
  ['delivered', true, true],
  ['delivered', false, true],
  ['open', true, true],
  ['open', false, true],
  ['replayable', true, true],
  ['replayable', false, false],
  ['lost', true, false],
  ['lost', false, false],
  [undefined, true, false],
] as const)('where the first is %s, a repeat whose payload is the same (%s) is suppressed: %s', (...row) => {
  expect(isSuppressed(row[0], row[1])).toBe(row[2]);
});

describe('a repeat', () => {
  test('is decided for each endpoint by itself, and keeps its payload where any of them gets it', () => {
    const known = history({ a: { standing: 'delivered' }, b: { standing: 'lost' } });
    expect(repeat(known, again(['a', 'b', 'c']))).toEqual({
      suppressed: new Set(['a']),
      keepsPayload: true,
      replaces: [{ endpointId: anyId('b'), eventId: anyId('first') }],
      places: new Map(),
    });
  });

  test('that nothing is sent of keeps no payload', () => {
    expect(repeat(history({ a: { standing: 'open' } }), again(['a'])).keepsPayload).toBe(false);
  });

  test.each<[IdHistory, boolean]>([
    [history({}, 'same'), false],
    [history({}, 'other'), true],
    [history({}), true],
    [history({ a: { standing: 'delivered' } }), false],
    [history({ a: { standing: 'lost' } }), true],
    [history({ a: { standing: 'replayable', digest: 'other' } }, 'other'), true],
  ])('that no endpoint wants, after %j, is kept to be matched later: %s', (known, kept) => {
    expect(repeat(known, again([])).keepsPayload).toBe(kept);
  });

  test('stands for the first from then on: the next is compared with it', () => {
    const known = history({ a: { standing: 'lost' } });
    repeat(known, again(['a']));
    const third = again(['a'], { eventId: anyId('third'), digest: 'other' });
    expect(repeat(known, third).suppressed).toEqual(new Set(['a']));
    const disabled = history({ a: { standing: 'lost' } });
    repeat(disabled, again([], { endpoints: [{ endpointId: anyId('a'), enabled: false, ordered: false }] }));
    expect(repeat(disabled, third).replaces).toEqual([{ endpointId: anyId('a'), eventId: anyId('again') }]);
  });

  test('takes the place of what it replaces in the order of the same key, and no other', () => {
    const ordered = [{ endpointId: anyId('a'), enabled: true, ordered: true }];
    const lost = { a: { standing: 'lost', place: { key: 'k', number: 3 } } } as const;
    const known = history(lost);
    expect(repeat(known, again([], { endpoints: ordered, key: 'k' })).places).toEqual(new Map([['a', 3]]));
    expect(known.held.get(anyId('a'))?.place).toEqual({ key: 'k', number: 3 });
    for (const key of ['other', undefined])
      expect(repeat(history(lost), again([], { endpoints: ordered, key })).places.size).toBe(0);
  });
});
