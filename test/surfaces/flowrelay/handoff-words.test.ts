import { describe, expect, test } from '@jest/globals';
import { meaningOf, RISK_WORDS } from '../../../src/surfaces/flowrelay/domain/handoff-words.ts';
import {
  type HandoffFacts,
  handoffStatus,
  mayHaveStarted,
} from '../../../src/surfaces/flowrelay/domain/receipt.ts';
import { resendFate } from '../../../src/surfaces/flowrelay/domain/sender-resend.ts';
import { anyId } from '../../support/store/any-id.ts';

const facts = (more: Partial<HandoffFacts>): HandoffFacts => ({
  state: 'failed',
  attempted: true,
  mayHaveArrived: false,
  failedThere: false,
  answered: false,
  endpointState: 'enabled',
  ...more,
});

const ENDS: Partial<HandoffFacts>[] = [
  { state: 'failed' },
  { state: 'failed', reason: 'imported' },
  { state: 'cancelled' },
  ...['endpoint_disabled', 'endpoint_deleted', 'no_longer_matches', 'payload_expired', 'resent'].map(
    (reason) => ({ state: 'ignored', reason }) as const,
  ),
];
const OPENS: Partial<HandoffFacts>[] = (['queued', 'scheduled', 'sending', 'unknown'] as const).map(
  (open) => ({
    state: open === 'unknown' ? 'unknown' : 'pending',
    open,
  }),
);
const HISTORY: Partial<HandoffFacts>[] = [
  { attempted: false },
  { attempted: false, mayHaveArrived: true },
  { attempted: true },
  { attempted: true, answered: true },
  { attempted: true, answered: true, failedThere: true },
  { attempted: true, mayHaveArrived: true },
  { attempted: true, answered: true, failedThere: true, mayHaveArrived: true },
];

/** The claims of a sentence, and when each of them is true. */
const CLAIMS: [RegExp, (of: HandoffFacts) => boolean][] = [
  [/nothing was sent|before anything was sent/i, (of) => !of.attempted && !of.mayHaveArrived],
  [/imported/, ({ reason }) => reason === 'imported'],
  [/was not reached/, ({ attempted, answered, mayHaveArrived }) => attempted && !answered && !mayHaveArrived],
  [/refused the handoff/, (of) => of.answered === true && !mayHaveStarted(of)],
  [/may already have started/, mayHaveStarted],
  [/\(5xx\)/, ({ failedThere }) => failedThere === true],
  [/may have arrived/, ({ mayHaveArrived }) => mayHaveArrived],
  [
    /endpoint (accepted|acknowledged) the handoff(?!,? but)/,
    ({ state, mayHaveArrived }) => state === 'delivered' || mayHaveArrived,
  ],
  [/waiting to be handed off|Not terminal/, ({ open }) => open !== undefined],
  [/called off/, ({ state }) => state === 'cancelled'],
  [/was disabled/, ({ reason }) => reason === 'endpoint_disabled'],
  [/was deleted/, ({ reason }) => reason === 'endpoint_deleted'],
  [/payload was gone/, ({ reason }) => reason === 'payload_expired'],
  [/sent the event again/, ({ resentAs }) => resentAs !== undefined],
];

describe('the words for a handoff', () => {
  test('are true, whatever is known of it, and hide no risk', () => {
    for (const state of [...ENDS, ...OPENS, { state: 'delivered' as const }])
      for (const history of HISTORY)
        for (const more of [{}, { resentAs: anyId('later') }]) {
          const known = facts({ ...state, ...history, ...more });
          const told = meaningOf(known);
          for (const [claim, holds] of CLAIMS)
            if (claim.test(told)) expect([told, known, holds(known)]).toEqual([told, known, true]);
          if (known.state !== 'delivered' && mayHaveStarted(known))
            expect(told).toMatch(/may already have started/);
          expect(told).toMatch(/^[A-Z].*\.$/);
        }
  });

  test.each<[Partial<HandoffFacts>, string]>([
    [
      { mayHaveArrived: true },
      'No answer says that the endpoint accepted the handoff, but a request may have arrived: processing may already have started.',
    ],
    [
      { answered: true, failedThere: true },
      'The endpoint answered with an error of its own (5xx): processing may already have started.',
    ],
    [{ answered: true }, 'The endpoint refused the handoff.'],
    [{}, 'The endpoint was not reached: no request left whole.'],
    [{ attempted: false }, 'It was given up before anything was sent.'],
    [
      { reason: 'imported', attempted: false },
      'Another system failed to hand it off, before it was imported.',
    ],
    [
      { reason: 'imported', attempted: false, mayHaveArrived: true },
      'Another system failed to hand it off, before it was imported. No answer says that the endpoint accepted the handoff, but a request may have arrived: processing may already have started.',
    ],
    [
      { reason: 'imported', answered: true },
      'Another system failed to hand it off, before it was imported. The endpoint refused the handoff.',
    ],
    [{ state: 'delivered', acceptedBy: 'answer' }, 'The endpoint accepted the handoff.'],
    [{ state: 'delivered', acceptedBy: 'acknowledgement' }, 'The endpoint acknowledged the handoff.'],
    [
      { state: 'ignored', reason: 'endpoint_disabled', attempted: false },
      'The endpoint was disabled: nothing was sent.',
    ],
  ])('of %j are: %s', (known, told) => {
    expect(meaningOf(facts(known))).toBe(told);
  });

  test('that an operator called delivered do not put that into the endpoint’s mouth', () => {
    expect(meaningOf(facts({ state: 'delivered', acceptedBy: 'resolution' }))).toMatch(
      /its own answer did not/,
    );
  });

  test('give a status of its own to each state that is open, ended or delivered', () => {
    expect(new Set([...ENDS, ...OPENS].map((each) => handoffStatus(facts(each))))).toEqual(
      new Set(['failed', 'cancelled', 'not_ready', 'retention_expired', 'processing', 'uncertain']),
    );
    expect(Object.values(RISK_WORDS).every((told) => /^[A-Z].*\.$/.test(told))).toBe(true);
  });
});

test.each([
  [undefined, 'new_event', 'new_event'],
  [[], 'new_delivery', 'new_delivery'],
  [['delivered'], 'suppressed', 'suppressed'],
  [['open'], 'suppressed', 'suppressed'],
  [['replayable'], 'suppressed', 'new_delivery'],
  [['lost'], 'new_delivery', 'new_delivery'],
  [['delivered', 'lost'], 'partly_suppressed', 'partly_suppressed'],
  [['delivered', 'replayable'], 'suppressed', 'partly_suppressed'],
] as const)(
  'a resend after %j is, with the same payload and with another one, %s and %s',
  (held, same, changed) => {
    expect(resendFate(held)).toEqual({ samePayload: same, changedPayload: changed });
  },
);
