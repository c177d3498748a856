import type { Schema } from '../../api/client.ts';
import { duration } from '../../format/durations.ts';
import { rate, whole } from '../../format/numbers.ts';
import type { TimeWords } from '../../format/times.ts';
import { words } from '../../format/words.ts';

type Options = Schema<'OperationOptions'>;

/** What an operation does, and how. */
export type How = Pick<Schema<'Plan'>, 'kind' | 'target' | 'newIdentity' | 'options'>;

interface Said<Value> {
  name: string;
  /** Undefined where it is off. */
  say(value: Value, time: TimeWords): string | undefined;
  /** What is so where it is not set, where that is worth saying. */
  otherwise?: string;
}

const on =
  (text: string) =>
  (value: boolean): string | undefined =>
    value ? text : undefined;

/** The words of each option: one that has none does not compile. */
const OPTIONS: { [Member in keyof Required<Options>]: Said<NonNullable<Options[Member]>> } = {
  ratePerSecond: { name: 'Rate', say: rate, otherwise: 'no limit of its own' },
  maxConcurrency: { name: 'Requests at a time', say: (most) => `${whole(most)} at most` },
  canary: {
    name: 'Canary',
    say: ({ count, maxFailurePercent }) => `${count} of each endpoint, held above ${maxFailurePercent} % bad`,
    otherwise: 'none',
  },
  ramp: {
    name: 'Ramp',
    say: ({ startPerSecond, everySeconds }) =>
      `from ${rate(startPerSecond)}, doubled every ${duration(1_000 * everySeconds)}`,
    otherwise: 'none',
  },
  haltAtFailurePercent: {
    name: 'Halt',
    say: (percent) => `above ${percent} % bad of the last minute`,
    otherwise: 'never',
  },
  notBefore: { name: 'Not before', say: (at, time) => time(at) },
  giveUpAfterMs: { name: 'Given up after', say: duration },
  disabledPatienceMs: { name: 'Waits at a disabled endpoint', say: duration },
  takeOverScheduled: { name: 'Scheduled elsewhere', say: on('taken over, and sent now') },
  includeResent: { name: 'Sent again by its sender', say: on('replayed all the same') },
  matchFilter: { name: 'Not wanted any more', say: on('left out') },
  onAmbiguous: {
    name: 'When nobody knows',
    say: (policy) =>
      ({ resend: 'it is sent again', probe: 'the endpoint is asked', hold: 'it is held' })[policy] ??
      words(policy),
  },
};

/** The words of an option; undefined where there is nothing to say. */
export function optionFact<Member extends keyof Options>(
  options: Options,
  member: Member,
  time: TimeWords,
): { name: string; text: string | undefined } {
  const { name, say, otherwise } = OPTIONS[member];
  const value = options[member];
  return { name, text: value === undefined || value === null ? otherwise : say(value, time) };
}

/** All that was asked of an operation beside its selection, by names: what is shown is what runs. */
export function howFacts({ kind, newIdentity, target, options }: How, time: TimeWords) {
  const facts: Record<string, string | undefined> = {
    Kind:
      kind === 'replay'
        ? 'a replay: what was delivered is sent again'
        : 'a retry: what was delivered is left alone',
    Identity: newIdentity
      ? 'new deliveries, each with a webhook-id of its own'
      : 'the same deliveries, with the webhook-id that they have',
    'Sent to': target === 'current' ? 'endpoints as they are now' : 'endpoints as they were',
  };
  for (const member of Object.keys(OPTIONS) as (keyof Options)[]) {
    const { name, text } = optionFact(options, member, time);
    facts[name] = text;
  }
  return facts;
}
