import { Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  equation,
  equationBar,
  type Progress,
  progressBlock,
  progressLine,
} from '../../../cli/src/commands/retry/progress-view.ts';
import { EXITS, exitOfProblem, exitOfState } from '../../../cli/src/core/exit-codes.ts';
import { mistakeOf } from '../../../cli/src/core/mistake.ts';
import { isRepeatable, waitBeforeRepeat } from '../../../cli/src/core/repeatable.ts';
import { width } from '../../../cli/src/core/text.ts';
import { Speaker } from '../../../cli/src/shell/speaker.ts';
import { screenOf, styleFor } from '../../../cli/src/shell/style.ts';
import { PROBLEMS } from '../../../src/api/problems/problem-table.ts';

const plain = styleFor(false);

const counts = fc
  .record({
    queued: fc.nat(2_000),
    sending: fc.nat(2_000),
    scheduled: fc.nat(2_000),
    delivered: fc.nat(2_000_000),
    failed: fc.nat(2_000),
    unknown: fc.nat(2_000),
    ignored: fc.nat(2_000),
    cancelled: fc.nat(2_000),
    superseded: fc.nat(2_000),
    excluded: fc.nat(2_000),
  })
  .map((parts) => ({ ...parts, expected: Object.values(parts).reduce((all, part) => all + part, 0) }));

describe('progress', () => {
  test('is a bar of the same width whatever the numbers are, and a failure is always seen', () =>
    fc.assert(
      fc.property(counts, fc.integer({ min: 10, max: 50 }), (shown, columns) => {
        const bar = equationBar(shown, columns, plain);
        expect(width(bar)).toBe(columns);
        expect(bar.includes('▓')).toBe(shown.failed + shown.unknown > 0);
      }),
    ));

  const operation = {
    id: 'op_1',
    kind: 'retry',
    state: 'running',
    counts: {
      expected: 1_966,
      delivered: 1_200,
      failed: 9,
      queued: 700,
      sending: 57,
      scheduled: 0,
      unknown: 0,
      ignored: 0,
      cancelled: 0,
      superseded: 0,
      excluded: 0,
    },
    ratePerSecond: 180,
    etaSeconds: 4,
    waitingFor: [],
    nextEvent: null,
    halt: null,
  } as unknown as Progress;

  test('is one line in a log, with its time', () => {
    expect(progressLine(operation, new Date('2026-11-03T02:00:05Z'))).toBe(
      '02:00:05Z running: 1,966 = 1,200 delivered + 9 failed + 57 sending + 700 queued · 180/s · 4 s to go',
    );
  });

  test('is a block of four lines on a terminal', () => {
    expect(progressBlock(operation, 42, 80, plain)).toEqual([
      'op_1  retry · running · 42 s',
      expect.stringMatching(/^█+▓░+ {2}61\.5 % of 1,966$/),
      '1,966 = 1,200 delivered + 9 failed + 57 sending + 700 queued',
      '180/s · 4 s to go',
    ]);
  });

  test('is a block that fits any terminal', () =>
    fc.assert(
      fc.property(counts, fc.integer({ min: 10, max: 200 }), (shown, columns) => {
        const lines = progressBlock({ ...operation, counts: shown }, 42, columns, plain);
        expect(lines).toHaveLength(4);
        expect(Math.max(...lines.map(width))).toBeLessThanOrEqual(columns);
      }),
    ));

  test('of a server that lies stays in its place, and does nothing to a terminal', () => {
    const what = `approval\u001b[2J\u202e${'x'.repeat(100)}`;
    const lying = { ...operation, id: 'op\n1', kind: 'a\u0007', state: '\u001bc', waitingFor: [{ what }] };
    const lines = progressBlock(lying as unknown as Progress, 42, 40, plain);
    expect(lines.join('')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(Math.max(...lines.map(width))).toBeLessThanOrEqual(40);
  });

  test('says why it was halted, with the numbers', () => {
    const endpoints = [
      { endpointId: 'end_1', attempts: 3, bad: 3 },
      { endpointId: 'end_2', attempts: 2, bad: 2 },
    ];
    const halt = { reason: 'canary', endpoints, limitPercent: 10, at: '' } as const;
    expect(progressLine({ ...operation, state: 'halted', halt }, new Date(0))).toContain(
      'halted: canary: 5 of 5 went wrong, more than 10 %',
    );
  });

  test('of nothing is nothing', () => {
    const none = Object.fromEntries(Object.keys(operation.counts).map((part) => [part, 0]));
    expect(equation(none as Progress['counts'])).toBe('0 = 0');
  });
});

describe('an exit', () => {
  test('has a code that no other has', () => {
    const codes = Object.values(EXITS).map(({ code }) => code);
    expect(codes).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 130, 141, 143]);
  });

  test('is that of the state of an operation; one of a later version is no success', () => {
    expect(exitOfState('completed')).toBe('done');
    expect(exitOfState('a_state_to_come')).toBe('running');
  });

  test('is that of a problem of the API', () => {
    expect(exitOfProblem('credential_expired', 401)).toBe('credentials');
    expect(exitOfProblem('plan_changed', 412)).toBe('changed');
    expect(exitOfProblem('invalid_request', 400)).toBe('usage');
    expect(exitOfProblem('a_code_to_come', 500)).toBe('failed');
    expect(exitOfProblem('a_code_to_come', 409)).toBe('usage');
    expect(exitOfProblem('constructor', 500)).toBe('failed');
  });

  test('of a refusal that comes again is never that of a failure, behind which scripts try again', () => {
    const refusals = Object.entries(PROBLEMS).filter(([, { status }]) => status < 500 && status !== 429);
    const tried = refusals.filter(([code, { status }]) => exitOfProblem(code, status) === 'failed');
    // Another version of the server: a command of its own version is the cure.
    expect(tried.map(([code]) => code)).toEqual(['route_not_found', 'method_not_allowed']);
  });
});

test('a mistake names its code, the request and the next step', () => {
  const problem = {
    code: 'insufficient_scope',
    status: 403,
    title: 'Insufficient scope',
    detail: 'It needs write:deliveries.',
    instance: 'req_1',
    errors: [{ pointer: '#/select', message: 'Expected an object.' }],
  };
  const error = Object.assign(new Error('x'), { name: 'ProblemError', problem });
  expect(mistakeOf(error)).toEqual({
    exit: 'credentials',
    what: 'Insufficient scope. It needs write:deliveries.',
    code: 'insufficient_scope',
    requestId: 'req_1',
    parts: ['#/select: Expected an object.'],
    next: 'redrive auth status says what this key may do',
  });
});

test('only what is the same act is made again where the connection broke, and not for ever', () => {
  const of = (method: string, path: string, idempotencyKey = false) =>
    isRepeatable({ method, path, idempotencyKey });
  expect(of('GET', '/api/v1/retries')).toBe(true);
  expect(of('POST', '/api/v1/retries/plans', true)).toBe(true);
  expect(of('POST', '/api/v1/retries/plans/pln_1/execute')).toBe(true);
  expect(of('POST', '/api/v1/keys')).toBe(false);
  expect(of('POST', '/api/v1/endpoints/end_1/rotate-secret')).toBe(false);
  expect([1, 2, 3, 4].map(waitBeforeRepeat)).toEqual([500, 1_000, 2_000, undefined]);
});

test('a block is drawn in its place, and below it where the window has another width', () => {
  const written: string[] = [];
  const stream = { isTTY: true, columns: 80 };
  const speaker = new Speaker(
    new Writable({
      decodeStrings: false,
      write(text, _, done) {
        written.push(text);
        done();
      },
    }),
    screenOf(stream, { TERM: 'xterm' }),
    false,
  );
  speaker.draw(['one', 'two']);
  speaker.draw(['one', 'two']);
  stream.columns = 40;
  speaker.draw(['one', 'two']);
  speaker.draw(['one', 'two']);
  const lines = 'one\ntwo\n';
  const again = `\u001b[2A\u001b[J${lines}`;
  expect(written).toEqual([lines, again, lines, again]);
});
