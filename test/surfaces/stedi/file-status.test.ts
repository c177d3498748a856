import { describe, expect, test } from '@jest/globals';
import { PREPARATION_FAULTS } from '../../../src/domain/endpoints/preparation.ts';
import { EXECUTION_STATES } from '../../../src/domain/sending/execution-state.ts';
import { FILE_FAULT_CODES, fileFault, reasonsOf } from '../../../src/surfaces/stedi/file-fault.ts';
import { fileStatus, isRetryable } from '../../../src/surfaces/stedi/file-status.ts';

describe('the status of a file execution', () => {
  test.each([
    // state, without a child, with one in progress, with one that has ended
    ['queued', 'IN_PROGRESS', 'IN_PROGRESS', 'IN_PROGRESS'],
    ['scheduled', 'IN_PROGRESS', 'IN_PROGRESS', 'IN_PROGRESS'],
    ['sending', 'IN_PROGRESS', 'IN_PROGRESS', 'IN_PROGRESS'],
    ['unknown', 'IN_PROGRESS', 'IN_PROGRESS', 'IN_PROGRESS'],
    ['superseded', 'IGNORED', 'RETRYING', 'RETRIED'],
    ['cancelled', 'IGNORED', 'RETRYING', 'RETRIED'],
    ['ignored', 'IGNORED', 'RETRYING', 'RETRIED'],
    ['failed', 'FAILED', 'RETRYING', 'RETRIED'],
    ['delivered', 'COMPLETED', 'COMPLETED', 'COMPLETED'],
  ] as const)('of one that is %s is %s, then %s, then %s', (state, alone, trying, tried) => {
    const run = { state, partly: false };
    expect(fileStatus(run)).toBe(alone);
    expect(fileStatus({ ...run, child: { open: true } })).toBe(trying);
    expect(fileStatus({ ...run, child: { open: false } })).toBe(tried);
  });

  test('is PARTIALLY_COMPLETED where the receiver took only a part, and else never', () => {
    for (const state of EXECUTION_STATES)
      expect(fileStatus({ state, partly: true })).toBe(
        state === 'delivered' ? 'PARTIALLY_COMPLETED' : fileStatus({ state, partly: false }),
      );
  });
});

describe('a file execution', () => {
  const failed = {
    state: 'failed',
    partly: false,
    inChain: true,
    deliveryState: 'failed',
    payloadKept: true,
    resent: false,
    endpoint: { state: 'enabled' },
  } as const;

  test('is retryable where it failed or was ignored, ends its chain, and there is something to send', () => {
    expect(isRetryable(failed)).toBe(true);
    expect(isRetryable({ ...failed, state: 'ignored' })).toBe(true);
    expect(
      isRetryable({ ...failed, state: 'ignored', reason: 'suppressed_duplicate', payloadKept: false }),
    ).toBe(true);
    for (const change of [
      { child: { open: true } },
      { child: { open: false } },
      { state: 'delivered' },
      { state: 'unknown' },
      { inChain: false },
      { deliveryState: 'delivered' },
      { payloadKept: false },
      { resent: true },
      { state: 'ignored', reason: 'resent', resent: true },
      { endpoint: { state: 'disabled' } },
      { endpoint: { state: 'deleted' } },
    ] as const)
      expect(isRetryable({ ...failed, ...change })).toBe(false);
  });
});

describe('the fault code of a file', () => {
  test('names each preparation step, and everything else is a failed delivery', () => {
    expect(PREPARATION_FAULTS.map((reason) => fileFault(reason).code)).toEqual([
      'FAILED_TO_FIND_LOCAL_PROFILE',
      'FAILED_TO_FIND_PARTNER_PROFILE',
      'FAILED_TO_FIND_GUIDE',
      'FAILED_TO_EXTRACT_BUSINESS_IDENTIFIERS',
    ]);
    for (const reason of ['exhausted', 'permanent', 'gone', 'gave_up', 'resolved', 'anything', undefined])
      expect(fileFault(reason).code).toBe('DELIVERY_FAILURE');
  });

  test('selects the reasons that are shown as it', () => {
    for (const code of FILE_FAULT_CODES) {
      const reasons = reasonsOf(code);
      for (const reason of [...PREPARATION_FAULTS, 'exhausted', 'gave_up'])
        expect('in' in reasons ? reasons.in.includes(reason) : !reasons.notIn.includes(reason)).toBe(
          fileFault(reason).code === code,
        );
    }
  });
});
