import { Writable } from 'node:stream';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { LiveView } from '../../../cli/src/commands/retry/live-view.ts';
import type { Progress } from '../../../cli/src/commands/retry/progress-view.ts';
import { Away } from '../../../cli/src/core/away.ts';
import { Speaker } from '../../../cli/src/shell/speaker.ts';
import { screenOf } from '../../../cli/src/shell/style.ts';

beforeEach(() => {
  jest.useFakeTimers({ now: new Date('2026-11-03T02:00:00Z') });
});
afterEach(() => {
  jest.useRealTimers();
});

const COUNTS = {
  ...{ expected: 10, delivered: 0, failed: 0, unknown: 0, sending: 0, queued: 10, scheduled: 0 },
  ...{ ignored: 0, cancelled: 0, superseded: 0, excluded: 0 },
};
const operation = (delivered: number): Progress =>
  ({
    ...{ id: 'op_1', kind: 'retry', state: 'running', ratePerSecond: 1, halt: null, waitingFor: [] },
    ...{ nextEvent: null, etaSeconds: null, counts: { ...COUNTS, delivered, queued: 10 - delivered } },
  }) as unknown as Progress;

/** A view whose lines are kept, as in a log. */
function viewed() {
  let text = '';
  const stream = new Writable({
    write(chunk, _, done) {
      text += chunk;
      done();
    },
  });
  const view = new LiveView({
    speaker: new Speaker(stream, screenOf(stream as never, {}), false),
    ...{ out: { form: 'table' as const }, outIsTerminal: false, now: () => new Date() },
  });
  return { view, lines: () => text.trim().split('\n') };
}

test('a state that is old is never said with the time of now', async () => {
  const { view, lines } = viewed();
  view.show(operation(1));
  jest.advanceTimersByTime(10_000);
  expect(lines()).toHaveLength(3);
  expect(lines().at(-1)).toContain('02:00:10Z running: 10 = 1 delivered');
  view.isAway();
  jest.advanceTimersByTime(600_000);
  expect(lines()).toHaveLength(3);
  await view.catchUp(Promise.reject(new Error('away again')));
  expect(lines()).toHaveLength(3);
  await view.catchUp(Promise.resolve(operation(2)));
  expect(lines().at(-1)).toContain('02:10:10Z running: 10 = 2 delivered');
  // What the stream has told meanwhile is newer.
  view.isAway();
  const asked = view.catchUp(Promise.resolve(operation(2)));
  view.show(operation(9));
  await asked;
  expect(view.operation?.counts.delivered).toBe(9);
  view.end();
  jest.advanceTimersByTime(60_000);
  expect(lines()).toHaveLength(5);
});

test('a server that is away is said once, and once that it is there again', () => {
  const away = new Away();
  expect(away.found()).toBeUndefined();
  for (let time = 0; time < 2; time += 1) {
    expect(away.lost('The connection was lost.')).toBe(
      'The connection was lost. It is tried again until it is there.',
    );
    expect(away.lost('The connection was lost.')).toBeUndefined();
    expect(away.found()).toBe('The server is there again.');
    expect(away.found()).toBeUndefined();
  }
});
