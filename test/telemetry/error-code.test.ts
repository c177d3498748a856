import { expect, test } from '@jest/globals';
import { ServiceError } from '@temporalio/client';
import { errorCode } from '../../src/telemetry/error-code.ts';

/** An error as Temporal's client has it from gRPC. */
const ofGrpc = (code: number) =>
  Object.assign(new Error('a text that can have anything'), { code, details: '', metadata: {} });

test('the code of an error is told, whoever gave it, and its class where it has none', () => {
  expect(errorCode(Object.assign(new Error(''), { code: '28P01' }))).toBe('28P01');
  expect(errorCode(Object.assign(new Error(''), { code: 'a text, maybe of a row' }))).toBe('Error');
  expect(errorCode(new RangeError('too deep'))).toBe('RangeError');
  expect(errorCode('thrown')).toBe('unknown_error');
});

test('an error of Temporal is told by the status of gRPC', () => {
  expect(errorCode(ofGrpc(14))).toBe('UNAVAILABLE');
  expect(errorCode(new ServiceError('could not start', { cause: ofGrpc(3) }))).toBe('INVALID_ARGUMENT');
  expect(errorCode(new ServiceError('could not start', { cause: new Error('of another kind') }))).toBe(
    'ServiceError',
  );
});

test('an error of pg that has no code is told as what it means', () => {
  expect(errorCode(new Error('timeout exceeded when trying to connect'))).toBe('no_connection');
  expect(errorCode(new Error('Query read timeout'))).toBe('no_connection');
  expect(errorCode(new Error('Connection terminated unexpectedly'))).toBe('connection_lost');
});
