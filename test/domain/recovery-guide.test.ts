import { describe, expect, test } from '@jest/globals';
import {
  checksOf,
  type HandoffFacts,
  handoffStatus,
  mayHaveStarted,
  outcomeOf,
  type ReceiptFacts,
  type RetentionState,
  recoveryCodeOf,
} from '../../src/surfaces/flowrelay/domain/receipt.ts';
import { guidanceFor } from '../../src/surfaces/flowrelay/domain/recovery-guide.ts';
import { replayAvailability } from '../../src/surfaces/flowrelay/domain/replay-refusal.ts';

const base: HandoffFacts = { state: 'pending', attempted: false, mayHaveArrived: false };
const handoff = (facts: Partial<HandoffFacts>): HandoffFacts => ({ ...base, ...facts });

const queued = handoff({ open: 'queued' });
const scheduledAnew = handoff({ open: 'scheduled' });
const sending = handoff({ open: 'sending' });
const scheduled = handoff({ open: 'scheduled', attempted: true });
const unknown = handoff({ state: 'unknown', open: 'unknown', attempted: true, mayHaveArrived: true });
const delivered = handoff({ state: 'delivered', attempted: true });
const replaying = handoff({ state: 'delivered', open: 'sending', attempted: true });
const failed = handoff({ state: 'failed', attempted: true, reason: 'permanent' });
const failedLate = handoff({ state: 'failed', attempted: true, reason: 'exhausted', mayHaveArrived: true });
const retrying = handoff({ state: 'failed', open: 'queued', attempted: true });
const cancelled = handoff({ state: 'cancelled', reason: 'cancelled' });
const disabled = handoff({ state: 'ignored', reason: 'endpoint_disabled' });
const disabledLater = handoff({ state: 'ignored', reason: 'endpoint_disabled', attempted: true });
const unmatched = handoff({ state: 'ignored', reason: 'no_longer_matches' });
const expired = handoff({ state: 'ignored', reason: 'payload_expired' });
const suppressed = handoff({ state: 'ignored', reason: 'suppressed_duplicate' });

const accepted = (handoffs: HandoffFacts[], retention: RetentionState = 'retained'): ReceiptFacts => ({
  request: 'accepted',
  duplicate: false,
  retention,
  handoffs,
});
const duplicate: ReceiptFacts = {
  request: 'accepted',
  duplicate: true,
  retention: 'never_kept',
  handoffs: [suppressed],
};
const rejected = (code: string): ReceiptFacts => ({ request: 'rejected', code });

test.each([
  [queued, 'queued'],
  [scheduledAnew, 'queued'],
  [sending, 'processing'],
  [scheduled, 'processing'],
  [retrying, 'processing'],
  [unknown, 'uncertain'],
  [delivered, 'delivered'],
  [replaying, 'delivered'],
  [failed, 'failed'],
  [cancelled, 'cancelled'],
  [disabled, 'not_ready'],
  [unmatched, 'not_ready'],
  [expired, 'retention_expired'],
  [suppressed, 'suppressed'],
  [handoff({}), 'processing'],
])('a handoff of %j is %s', (facts, status) => {
  expect(handoffStatus(facts)).toBe(status);
});

test.each([
  [queued, false],
  [failed, false],
  [disabled, false],
  [unknown, true],
  [failedLate, true],
  [delivered, true],
])('what is behind the endpoint of %j may have begun: %s', (facts, started) => {
  expect(mayHaveStarted(facts)).toBe(started);
});

describe('a receipt', () => {
  test.each([
    [rejected('invalid_request'), 'rejected', 'validation_failed', 'sender_resend', 'rejected'],
    [rejected('payload_too_large'), 'rejected', 'validation_failed', 'sender_resend', 'rejected'],
    [rejected('insufficient_scope'), 'rejected', 'authentication_failed', 'sender_resend', 'rejected'],
    [duplicate, 'duplicate_suppressed', 'duplicate_suppressed', 'none', undefined],
    [accepted([]), 'no_workflow', 'no_workflow', 'flowrelay_replay', 'not_ready'],
    [accepted([], 'expired'), 'no_workflow', 'retention_expired', 'sender_resend', 'unavailable'],
    [accepted([disabled, unmatched]), 'no_workflow', 'no_workflow', 'flowrelay_replay', 'not_ready'],
    [accepted([queued]), 'accepted', 'handoff_not_terminal', 'wait', 'not_terminal'],
    [accepted([queued, disabled]), 'accepted', 'handoff_not_terminal', 'wait', 'not_terminal'],
    [accepted([delivered, queued]), 'accepted', 'handoff_not_terminal', 'wait', 'not_terminal'],
    [accepted([sending]), 'processing', 'handoff_not_terminal', 'wait', 'not_terminal'],
    [accepted([scheduled, failed]), 'processing', 'handoff_not_terminal', 'wait', 'not_terminal'],
    [accepted([retrying]), 'processing', 'handoff_not_terminal', 'wait', 'not_terminal'],
    [accepted([unknown]), 'processing', 'handoff_not_terminal', 'inspect_diagnostics', 'not_terminal'],
    [
      accepted([unknown, sending]),
      'processing',
      'handoff_not_terminal',
      'inspect_diagnostics',
      'not_terminal',
    ],
    [accepted([delivered]), 'delivered', undefined, 'none', undefined],
    [accepted([replaying]), 'delivered', undefined, 'none', undefined],
    [accepted([delivered], 'expired'), 'delivered', undefined, 'none', undefined],
    [accepted([delivered, disabled]), 'delivered', undefined, 'none', undefined],
    [accepted([failed]), 'failed', 'handoff_failed', 'flowrelay_replay', 'not_ready'],
    [accepted([delivered, failed]), 'failed', 'handoff_failed', 'flowrelay_replay', 'not_ready'],
    [accepted([cancelled]), 'failed', 'handoff_failed', 'flowrelay_replay', 'not_ready'],
    [accepted([disabledLater]), 'failed', 'handoff_failed', 'flowrelay_replay', 'not_ready'],
    [accepted([failedLate]), 'failed', 'handoff_failed', 'inspect_diagnostics', 'not_ready'],
    [accepted([failed], 'expired'), 'failed', 'retention_expired', 'sender_resend', 'unavailable'],
    [accepted([expired], 'expired'), 'failed', 'retention_expired', 'sender_resend', 'unavailable'],
  ])('of %j is %s with code %s and recommends %s', (facts, outcome, code, recommended, situation) => {
    expect(outcomeOf(facts)).toBe(outcome);
    expect(recoveryCodeOf(facts)).toBe(code);
    const guidance = guidanceFor(facts, { newBusinessEvent: false });
    expect([guidance.recommended, guidance.situation]).toEqual([recommended, situation]);
    expect(guidanceFor(facts, { newBusinessEvent: true })).toMatchObject({
      recommended: 'sender_resend',
      situation: 'new_business_event',
    });
  });

  test.each([
    [rejected('invalid_request'), 'rejected_request'],
    [duplicate, 'suppressed_duplicate'],
    [accepted([failed], 'expired'), 'payload_gone'],
    [accepted([queued]), 'not_terminal'],
    [accepted([sending]), 'not_terminal'],
    [accepted([scheduled]), 'not_terminal'],
    [accepted([replaying]), 'not_terminal'],
  ])('of %j cannot be replayed: %s', (facts, reason) => {
    expect(replayAvailability(facts)).toEqual({ available: false, reason });
  });

  test.each([
    [accepted([]), false],
    [accepted([disabled]), false],
    [accepted([failed]), false],
    [accepted([failed, queued]), false],
    [accepted([unknown]), true],
    [accepted([delivered]), true],
    [accepted([failedLate]), true],
  ])('of %j can be replayed, with an explicit confirmation: %s', (facts, needed) => {
    expect(replayAvailability(facts)).toEqual({ available: true, needsDuplicateRiskConfirmation: needed });
  });

  test('says which checks passed', () => {
    expect(checksOf(accepted([]))).toEqual({ authentication: 'passed', validation: 'passed' });
    expect(checksOf(rejected('malformed_json'))).toEqual({ authentication: 'passed', validation: 'failed' });
    expect(checksOf(rejected('insufficient_scope'))).toEqual({
      authentication: 'failed',
      validation: 'not_reached',
    });
  });
});
