import { describe, expect, test } from '@jest/globals';
import { retryBody } from '../../../cli/src/commands/retry/options.ts';
import { idsIn, selectionOf, selectionWords } from '../../../cli/src/commands/retry/selection.ts';

describe('a selection', () => {
  test('of nothing is refused: everything that failed has to be said', () => {
    expect(() => selectionOf({})).toThrow(/Nothing is selected/);
    expect(() => selectionOf({ ids: [] })).toThrow(/No ids/);
    expect(selectionOf({ allFailed: true })).toEqual({ filter: {} });
  });

  test('is of one kind', () => {
    expect(() => selectionOf({ ids: ['dlv_1'], endpoint: ['a'] })).toThrow(/exclude each other/);
    expect(() => selectionOf({ allFailed: true, since: '2026-11-03T02:00:00.000Z' })).toThrow(/exclude/);
    expect(() => selectionOf({ outage: 'out_1', failuresOf: 'op_1' })).toThrow(/exclude/);
    expect(() => selectionOf({ ids: ['dlv_1', 'evt_1'] })).toThrow(/exclude/);
  });

  test('has each flag at its member', () => {
    expect(
      selectionOf({
        state: ['failed', 'unknown'],
        endpoint: ['warehouse'],
        type: ['a,b'],
        status: [503],
        since: '2026-11-03T02:00:00.000Z',
        until: '2026-11-03T05:00:00.000Z',
        pendingLongerThan: 600_000,
        blocking: true,
      }),
    ).toEqual({
      filter: {
        state: ['failed', 'unknown'],
        endpointIds: ['warehouse'],
        eventTypes: ['a,b'],
        httpStatus: [503],
        from: '2026-11-03T02:00:00.000Z',
        to: '2026-11-03T05:00:00.000Z',
        pendingLongerThanMs: 600_000,
        blocking: true,
      },
    });
  });

  test('by ids takes each once, of the kind that they are', () => {
    expect(selectionOf({ ids: idsIn('dlv_1\ndlv_2, dlv_1\r\n') })).toEqual({
      deliveryIds: ['dlv_1', 'dlv_2'],
    });
    expect(selectionOf({ ids: ['exe_1'] })).toEqual({ executionIds: ['exe_1'] });
    expect(selectionOf({ ids: ['evt_1', 'inv-77'] })).toEqual({ eventIds: ['evt_1', 'inv-77'] });
  });

  test('is said with the times that durations have become', () => {
    expect(selectionWords({ filter: { from: '2026-11-03T02:00:00.000Z' } })).toBe(
      'failed deliveries, from 2026-11-03T02:00:00.000Z',
    );
    expect(selectionWords({ filter: {} })).toBe('failed deliveries, everything');
    expect(selectionWords({ deliveryIds: ['dlv_1'] })).toBe('1 delivery');
  });
});

test('the body of a retry has what was said, and nothing else', () => {
  expect(retryBody({})).toEqual({ mode: 'retry', target: 'current' });
  expect(
    retryBody({
      rate: 50,
      canary: { count: 25, maxFailurePercent: 10 },
      ramp: { startPerSecond: 5, everySeconds: 60 },
      haltAt: 50,
      replay: true,
      target: 'original',
      newIdentity: true,
      reason: 'the outage is over',
      ticket: 'OPS-1',
    }),
  ).toEqual({
    mode: 'replay',
    target: 'original',
    newIdentity: true,
    options: {
      ratePerSecond: 50,
      canary: { count: 25, maxFailurePercent: 10 },
      ramp: { startPerSecond: 5, everySeconds: 60 },
      haltAtFailurePercent: 50,
    },
    reason: 'the outage is over',
    ticket: 'OPS-1',
  });
});
