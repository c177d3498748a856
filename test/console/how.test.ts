import { describe, expect, test } from '@jest/globals';
import { howFacts } from '../../console/src/screens/recover/how-facts.ts';
import { RISKS, repeatWords, riskMeaning } from '../../console/src/screens/recover/risk-words.ts';

/** What a plan and an approval say of how it is done. */

const time = (at: string) => `at ${at}`;
const retry = { kind: 'retry', target: 'current', newIdentity: false, options: {} } as const;
const replay = { ...retry, kind: 'replay' } as const;

describe('what is shown of a plan', () => {
  test('says its kind, its identity and where it goes, and what is so where nothing was asked for', () => {
    expect(howFacts(retry, time)).toEqual({
      Kind: 'a retry: what was delivered is left alone',
      Identity: 'the same deliveries, with the webhook-id that they have',
      'Sent to': 'endpoints as they are now',
      Rate: 'no limit of its own',
      Canary: 'none',
      Ramp: 'none',
      Halt: 'never',
    });
    expect(howFacts({ ...replay, target: 'original', newIdentity: true }, time)).toMatchObject({
      Kind: 'a replay: what was delivered is sent again',
      Identity: 'new deliveries, each with a webhook-id of its own',
      'Sent to': 'endpoints as they were',
    });
  });

  test('says every option that is set, and none that is off', () => {
    const options = {
      ratePerSecond: 20,
      maxConcurrency: 4,
      canary: { count: 25, maxFailurePercent: 10 },
      ramp: { startPerSecond: 5, everySeconds: 60 },
      haltAtFailurePercent: 0,
      notBefore: '02:00',
      giveUpAfterMs: 3_600_000,
      disabledPatienceMs: 0,
      takeOverScheduled: true,
      includeResent: false,
      matchFilter: true,
      onAmbiguous: 'hold',
    } as const;
    expect(howFacts({ ...retry, options }, time)).toMatchObject({
      Rate: '20/s',
      'Requests at a time': '4 at most',
      Canary: '25 of each endpoint, held above 10 % bad',
      Ramp: 'from 5/s, doubled every 1 min',
      Halt: 'above 0 % bad of the last minute',
      'Not before': 'at 02:00',
      'Given up after': '1 h',
      'Waits at a disabled endpoint': '0 ms',
      'Scheduled elsewhere': 'taken over, and sent now',
      'Sent again by its sender': undefined,
      'Not wanted any more': 'left out',
      'When nobody knows': 'it is held',
    });
  });
});

describe('a risk', () => {
  test('means something else where what was delivered is sent again', () => {
    expect(riskMeaning('alreadyDelivered', retry).means).toContain('leaves them alone');
    expect(riskMeaning('alreadyDelivered', replay)).toEqual({
      tone: 'bad',
      means: 'They are delivered: a replay sends them again, with the same webhook-id.',
    });
    for (const risk of RISKS)
      expect(riskMeaning(risk, { ...replay, newIdentity: true }).means).not.toMatch(
        /same webhook-id|a retry/,
      );
    expect(repeatWords({ newIdentity: true })).toContain('none of them can notice');
  });

  test('of what is open elsewhere says whether it is taken over', () => {
    const taking = { ...retry, options: { takeOverScheduled: true } };
    expect(riskMeaning('openElsewhere', retry).means).toContain('join');
    expect(riskMeaning('openElsewhere', taking).means).toContain('taken over');
    // Under a new identity nothing that is open is taken over.
    expect(riskMeaning('openElsewhere', { ...taking, newIdentity: true }).means).not.toContain('taken over');
  });
});
