import { expect, test } from '@jest/globals';
import type { OperationCounts } from '../../src/domain/operations/operation-counts.ts';
import type { DemoHandle } from '../../src/embedded/demo/demo-endpoints.ts';
import {
  addressLines,
  type ClosureReport,
  closureTable,
  curlLines,
  leftLines,
  outageTable,
  type RemainingFailure,
  remainingLines,
} from '../../src/embedded/demo/demo-report.ts';

function counts(parts: Partial<OperationCounts>): OperationCounts {
  return {
    expected: 0,
    queued: 0,
    sending: 0,
    scheduled: 0,
    delivered: 0,
    failed: 0,
    unknown: 0,
    ignored: 0,
    cancelled: 0,
    superseded: 0,
    excluded: 0,
    ...parts,
  };
}

function report(overrides: Partial<ClosureReport>): ClosureReport {
  return {
    operationId: 'op_1',
    state: 'completed',
    createdAt: '2026-11-03T02:00:00.000Z',
    closedAt: '2026-11-03T02:00:12.340Z',
    counts: counts({}),
    exclusions: {},
    attempts: 0,
    firstAttemptAt: null,
    lastAttemptAt: null,
    ...overrides,
  };
}

test('a closure report is shown as the equation, and what it took', () => {
  const shown = closureTable(
    report({
      counts: counts({ expected: 2_041, delivered: 2_000, failed: 9, unknown: 2, excluded: 30 }),
      exclusions: { coalesced: 28, held: 2, changed_since: 0 },
      attempts: 2_100,
      firstAttemptAt: '2026-11-03T02:00:00.500Z',
      lastAttemptAt: '2026-11-03T02:00:10.500Z',
    }),
  );
  expect(shown).toEqual([
    'expected      2,041',
    '= delivered   2,000',
    '+ failed          9',
    '+ unknown         2',
    '+ excluded       30',
    'excluded: coalesced 28, held 2',
    '',
    'attempts   2,100',
    'time       12.3 s',
    'rate       210 requests a second',
  ]);
});

test('an operation that sent nothing has no rate', () => {
  expect(closureTable(report({})).at(-1)).toBe('rate       –');
});

test('the outage is shown endpoint by endpoint, with what was recorded and a sum', () => {
  const endpointIds = { warehouse: 'end_1', search: 'end_2' } as Record<DemoHandle, string>;
  const failure = { id: 'dlv_1', event: { type: 'push' } };
  const lines = outageTable(
    [
      { ...failure, endpointId: 'end_1', faultCode: 'connection_refused', httpStatus: null },
      { ...failure, endpointId: 'end_2', faultCode: 'http_5xx', httpStatus: 503 },
      { ...failure, endpointId: 'end_2', faultCode: 'timeout', httpStatus: null },
    ],
    endpointIds,
  );
  expect(lines[1]).toMatch(/^warehouse {3}down: refuses connections +connection refused +1$/);
  expect(lines[2]).toMatch(/^search +overloaded: answers 503 +HTTP 503, timeout +2$/);
  expect(lines.at(-1)).toMatch(/^all +3$/);
});

test('deliveries that still fail come with the next step', () => {
  const failure: RemainingFailure = {
    endpoint: 'search',
    count: 9,
    fault: 'HTTP 422',
    permanent: true,
    eventTypes: ['gollum'],
    answer: '{"error":"no"}',
    exampleId: 'dlv_1',
  };
  expect(remainingLines([failure, { ...failure, permanent: false, answer: undefined }], 'op_1')).toEqual([
    'Still failing:',
    '  9 at search: HTTP 422 {"error":"no"}, events of type gollum',
    '  Next step: no retry helps until search accepts gollum; ask its owner, or leave it out of the eventTypes.',
    '  9 at search: HTTP 422, events of type gollum',
    '  Next step: the cause may have passed by now; look at the attempts and whether search is well.',
    '  Then retry what is left, with an Idempotency-Key: POST /api/v1/retries {"select":{"remainderOf":"op_1"}}',
  ]);
  expect(remainingLines([], 'op_1')).toEqual(['Nothing is failing any more.']);
});

test('says how many deliveries are left to the console', () => {
  expect(leftLines('deploys', 1_204).join(' ')).toContain('deploys was protected');
  expect(leftLines('deploys', 1_204).join(' ')).toContain('a retry of the 1,204 that had failed');
});

test('only addresses that exist are shown', () => {
  const addresses = { url: 'http://127.0.0.1:4400', logFile: '.redrive/redrive.log' };
  expect(addressLines(addresses)).toEqual([
    'API       http://127.0.0.1:4400/api/v1',
    'console   http://127.0.0.1:4400/console',
    'docs      http://127.0.0.1:4400/docs',
    'metrics   http://127.0.0.1:4400/metrics',
    'log       .redrive/redrive.log',
  ]);
  expect(addressLines({ ...addresses, uiUrl: 'http://127.0.0.1:8233' })).toContain(
    'Temporal   http://127.0.0.1:8233',
  );
});

test('there are three commands, each in one line and with the key in it', () => {
  const asked = { url: 'http://h:1', key: 'rdk_x', operationId: 'op_1', deliveryId: 'dlv_1' };
  const commands = curlLines({ ...asked, mode: 'replay' }).map(({ command }) => command);
  expect(commands).toHaveLength(3);
  for (const command of commands) expect(command).toMatch(/^curl [^\n]*'Authorization: Bearer rdk_x'[^\n]*$/);
  expect(commands[2]).toContain(`-d '{"select":{"deliveryIds":["dlv_1"]},"mode":"replay"}'`);
});
