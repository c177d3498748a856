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
} from '../../../src/surfaces/flowrelay/domain/receipt.ts';
import { guidanceFor } from '../../../src/surfaces/flowrelay/domain/recovery-guide.ts';
import { decideReplay } from '../../../src/surfaces/flowrelay/domain/replay-decision.ts';
import { anyId } from '../../support/store/any-id.ts';

const base: HandoffFacts = {
  state: 'pending',
  attempted: false,
  mayHaveArrived: false,
  endpointState: 'enabled',
};
const usage = { executed: 0 };
const senderResend = { samePayload: 'new_delivery', changedPayload: 'new_delivery' } as const;
const handoff = (facts: Partial<HandoffFacts>): HandoffFacts => ({ ...base, ...facts });

const queued = handoff({ open: 'queued' });
const scheduledAnew = handoff({ open: 'scheduled' });
const sending = handoff({ open: 'sending' });
const scheduled = handoff({ open: 'scheduled', attempted: true });
const importedQueued = handoff({ state: 'failed', open: 'queued', mayHaveArrived: true });
const unknown = handoff({ state: 'unknown', open: 'unknown', attempted: true, mayHaveArrived: true });
const delivered = handoff({ state: 'delivered', attempted: true });
const replaying = handoff({ state: 'delivered', open: 'sending', attempted: true });
const failed = handoff({ state: 'failed', attempted: true, reason: 'permanent' });
const failedLate = handoff({ state: 'failed', attempted: true, reason: 'exhausted', mayHaveArrived: true });
const imported = handoff({ state: 'failed', reason: 'imported', mayHaveArrived: true });
const importedThenDisabled = handoff({
  state: 'ignored',
  reason: 'endpoint_disabled',
  mayHaveArrived: true,
});
const failedThere = handoff({ state: 'failed', attempted: true, reason: 'exhausted', failedThere: true });
const atDeleted = handoff({ state: 'failed', attempted: true, endpointState: 'deleted' });
const sentAgain = handoff({ state: 'failed', attempted: true, resentAs: anyId('later') });
const retrying = handoff({ state: 'failed', open: 'queued', attempted: true });
const cancelled = handoff({ state: 'cancelled', reason: 'cancelled' });
const disabled = handoff({ state: 'ignored', reason: 'endpoint_disabled' });
const disabledLater = handoff({ state: 'ignored', reason: 'endpoint_disabled', attempted: true });
const unmatched = handoff({ state: 'ignored', reason: 'no_longer_matches' });
const expired = handoff({ state: 'ignored', reason: 'payload_expired' });
const suppressed = handoff({ state: 'ignored', reason: 'suppressed_duplicate' });

const accepted = (handoffs: HandoffFacts[], retention: RetentionState = 'retained'): ReceiptFacts => ({
  request: 'accepted',
  suppressed: false,
  retention,
  handoffs,
});
const duplicate: ReceiptFacts = {
  request: 'accepted',
  duplicateOf: anyId('first'),
  suppressed: true,
  retention: 'never_kept',
  handoffs: [suppressed],
};
const resent = (handoffs: HandoffFacts[]): ReceiptFacts =>
  ({ ...accepted(handoffs), resentAs: anyId('later') }) as ReceiptFacts;
const rejected = (code: string): ReceiptFacts => ({ request: 'rejected', code });

test.each([
  [queued, 'queued'],
  [scheduledAnew, 'queued'],
  [sending, 'processing'],
  [scheduled, 'processing'],
  [importedQueued, 'processing'],
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
  [failedThere, true],
  [delivered, true],
])('the processing behind the endpoint of %j may have started: %s', (facts, started) => {
  expect(mayHaveStarted(facts)).toBe(started);
});

describe('a receipt', () => {
  test.each([
    [rejected('invalid_request'), 'rejected', 'validation_failed', 'sender_resend', 'rejected'],
    [rejected('payload_too_large'), 'rejected', 'validation_failed', 'sender_resend', 'rejected'],
    [rejected('insufficient_scope'), 'rejected', 'authentication_failed', 'sender_resend', 'rejected'],
    [duplicate, 'duplicate_suppressed', 'duplicate_suppressed', 'sender_resend', 'unavailable'],
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
    [accepted([imported]), 'failed', 'handoff_failed', 'inspect_diagnostics', 'not_ready'],
    [accepted([importedThenDisabled]), 'failed', 'handoff_failed', 'inspect_diagnostics', 'not_ready'],
    [accepted([failedThere]), 'failed', 'handoff_failed', 'inspect_diagnostics', 'not_ready'],
    [accepted([atDeleted]), 'failed', 'handoff_failed', 'sender_resend', 'unavailable'],
    [accepted([delivered, atDeleted]), 'failed', 'handoff_failed', 'sender_resend', 'unavailable'],
    [accepted([atDeleted, failed]), 'failed', 'handoff_failed', 'flowrelay_replay', 'not_ready'],
    [accepted([delivered, suppressed]), 'delivered', undefined, 'none', undefined],
    [accepted([failed, suppressed]), 'failed', 'handoff_failed', 'flowrelay_replay', 'not_ready'],
    [accepted([disabled, suppressed]), 'no_workflow', 'no_workflow', 'flowrelay_replay', 'not_ready'],
    [resent([sentAgain]), 'failed', undefined, 'none', undefined],
    [resent([sentAgain, failed]), 'failed', 'handoff_failed', 'inspect_diagnostics', 'not_ready'],
    [resent([]), 'no_workflow', undefined, 'none', undefined],
    [accepted([failed], 'expired'), 'failed', 'retention_expired', 'sender_resend', 'unavailable'],
    [accepted([expired], 'expired'), 'failed', 'retention_expired', 'sender_resend', 'unavailable'],
  ])('of %j is %s with code %s and recommends %s', (facts, outcome, code, recommended, situation) => {
    expect(outcomeOf(facts)).toBe(outcome);
    expect(recoveryCodeOf(facts)).toBe(code);
    const guidance = guidanceFor(facts, { usage, newBusinessEvent: false, senderResend });
    expect([guidance.recommended, guidance.situation]).toEqual([recommended, situation]);
    expect(guidanceFor(facts, { usage, newBusinessEvent: true, senderResend })).toMatchObject({
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
    [accepted([delivered, queued]), 'not_terminal'],
    [accepted([atDeleted]), 'endpoint_deleted'],
    [accepted([atDeleted, queued]), 'not_terminal'],
    [resent([]), 'resent'],
  ])('of %j cannot be replayed: %s', (facts, reason) => {
    expect(decideReplay(facts, usage)).toMatchObject({ possible: false, refusal: { reason } });
  });

  test.each([
    [accepted([]), false],
    [accepted([disabled]), false],
    [accepted([failed]), false],
    [accepted([failed, queued]), false],
    [accepted([unknown]), true],
    [accepted([delivered]), true],
    [accepted([failedLate]), true],
    [accepted([imported]), true],
    [accepted([importedThenDisabled]), true],
    [accepted([failedThere]), true],
    [accepted([delivered, failed]), false],
    [resent([sentAgain]), true],
  ])('of %j can be replayed, with an explicit confirmation: %s', (facts, needed) => {
    expect(decideReplay(facts, usage)).toEqual({ possible: true, needsConfirmation: needed });
    expect(decideReplay(facts, { executed: 3, limit: 3, freeInMs: 10 })).toMatchObject({
      refusal: { reason: 'replays_per_day', retryAfterSeconds: 1 },
    });
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

describe('the guide', () => {
  test('says of the limit what passes by itself and what does not', () => {
    const at = (more: object) =>
      guidanceFor(accepted([failed]), {
        usage: { executed: 3, limit: 3, ...more },
        newBusinessEvent: false,
        senderResend,
      });
    expect(at({ freeInMs: 60_000 })).toMatchObject({ recommended: 'wait', explicitConfirmation: false });
    expect(at({ limit: 0 })).toMatchObject({ recommended: 'inspect_diagnostics' });
  });

  test.each<[ReceiptFacts | undefined, string]>([
    [accepted([delivered]), 'none'],
    [accepted([queued]), 'wait'],
    [accepted([unknown]), 'wait'],
    [accepted([failed]), 'flowrelay_replay'],
    [accepted([disabled]), 'flowrelay_replay'],
    [accepted([failed], 'expired'), 'sender_resend'],
    [accepted([atDeleted]), 'sender_resend'],
    [undefined, 'sender_resend'],
  ])('of a suppressed duplicate follows what stands for it, %j: %s', (standing, recommended) => {
    const guidance = guidanceFor(duplicate, { usage, newBusinessEvent: false, standing, senderResend });
    expect(guidance).toMatchObject({ recommended, explicitConfirmation: false });
  });

  test('sends nobody to a receipt that is not there any more, nor to a resend that would be suppressed', () => {
    const gone: ReceiptFacts = { ...duplicate, firstGone: true };
    expect(decideReplay(duplicate, usage)).toMatchObject({ refusal: { firstEventId: anyId('first') } });
    expect(decideReplay(gone, usage)).toEqual({
      possible: false,
      refusal: { reason: 'suppressed_duplicate' },
    });
    const suppressed = { samePayload: 'suppressed', changedPayload: 'suppressed' } as const;
    expect(guidanceFor(gone, { usage, newBusinessEvent: false, senderResend: suppressed })).toMatchObject({
      recommended: 'none',
      why: expect.stringContaining('not there any more'),
    });
  });
});
