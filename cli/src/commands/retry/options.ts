import type { components } from '@redrive/client';
import { choice, type Flag, onOff, type Values, value } from '../../command/command.ts';
import { flagsOf, saidOf } from '../../command/members.ts';
import { parseDuration } from '../../core/durations.ts';
import { parseCanary, parseCount, parsePercent, parseRamp, parseRate } from '../../core/pace.ts';
import { parseAhead } from '../../core/times.ts';

type RetryRequest = components['schemas']['RetryRequest'];
type RetryOptions = components['schemas']['RetryOptions'];

/** The flag of each option of a retry; one that has none does not compile. */
const OPTION_FLAGS = {
  ratePerSecond: { rate: value('<n>', 'requests a second at most', parseRate) },
  maxConcurrency: { concurrency: value('<n>', 'requests at a time at most', parseCount) },
  canary: { canary: value('<n:share>', 'so many of each endpoint first: 25:10%', parseCanary) },
  ramp: { ramp: value('<n/duration>', 'begin with so many a second, doubling: 5/60s', parseRamp) },
  haltAtFailurePercent: {
    haltAt: value('<share>', 'halt when more of the last minute goes wrong: 50%', parsePercent),
  },
  notBefore: { notBefore: value('<when>', 'send nothing before', (text) => parseAhead(text, new Date())) },
  giveUpAfterMs: { giveUpAfter: value('<duration>', 'how long each is tried', parseDuration) },
  disabledPatienceMs: {
    disabledPatience: value(
      '<duration>',
      'how long items wait at an endpoint that is disabled',
      parseDuration,
    ),
  },
  takeOverScheduled: { takeOverScheduled: onOff('take over what is scheduled elsewhere') },
  includeResent: { includeResent: onOff('also what its sender has sent again') },
  onAmbiguous: {
    onAmbiguous: choice(['resend', 'probe', 'hold'], 'what follows where nobody knows whether it arrived'),
  },
} as const satisfies { [Member in keyof Required<RetryOptions>]: Record<string, Flag> };

/** The flags that say how a retry goes. */
export const PACE_FLAGS = {
  ...flagsOf(OPTION_FLAGS),
  replay: onOff('send what was delivered, too'),
  target: choice(['current', 'original'], 'where it goes: to the endpoint as it is, or as it was'),
  newIdentity: onOff('send each as a new delivery'),
  reason: value('<text>', 'why: it stands in the report'),
  ticket: value('<text>', 'the ticket that asks for it'),
};

/** What was said by them. */
export type PaceFlags = Partial<{
  [Name in keyof Values<typeof PACE_FLAGS>]: Values<typeof PACE_FLAGS>[Name];
}>;

/** The body of a retry, but for its selection. */
export function retryBody(flags: PaceFlags): Omit<RetryRequest, 'select'> {
  const options = saidOf(OPTION_FLAGS, flags);
  const { replay, target, newIdentity, reason, ticket } = flags;
  return {
    mode: replay ? 'replay' : 'retry',
    target: target ?? 'current',
    ...(newIdentity ? { newIdentity } : {}),
    ...(Object.keys(options).length > 0 ? { options: options as RetryOptions } : {}),
    ...(reason ? { reason } : {}),
    ...(ticket ? { ticket } : {}),
  };
}
