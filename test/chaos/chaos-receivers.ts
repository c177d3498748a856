import { type Receiver, startReceiver } from '../support/receivers/receiver.ts';
import type { Behaviour } from '../support/receivers/receiver-behaviour.ts';
import { hang, ok, reset, slow, status } from '../support/receivers/receiver-behaviour.ts';

/** A receiver of the mixed bag, and whether it takes its deliveries in the end. */
export interface ChaosReceiver {
  name: string;
  receiver: Receiver;
  /** Deliveries to it can succeed, sooner or later; otherwise every item ends failed. */
  delivers: boolean;
}

/** A number in [0, 1) from a seed: the same run again for the same seed, as far as the machine allows. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Starts the mixed bag: quick, slow, moody, one that refuses everything, and one that is lost in thought now and then. */
export async function startChaosReceivers(random: () => number): Promise<ChaosReceiver[]> {
  const one = (moods: Behaviour[]): Behaviour => ({
    answer: (response) => (moods[Math.floor(random() * moods.length)] ?? ok).answer(response),
  });
  const bag: [string, Behaviour, boolean][] = [
    ['quick', ok, true],
    ['slow', slow(40), true],
    ['moody', one([ok, ok, ok, status(500), status(503)]), true],
    ['resetting', one([ok, ok, ok, ok, ok, ok, ok, ok, ok, reset]), true],
    ['absent', one([...Array.from({ length: 99 }, () => ok), hang]), true],
    ['refusing', status(422), false],
  ];
  return Promise.all(
    bag.map(async ([name, behaviour, delivers]) => ({
      name,
      delivers,
      receiver: await startReceiver(behaviour),
    })),
  );
}
