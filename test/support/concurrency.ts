import type { Behaviour } from './receivers/receiver-behaviour.ts';

/** Requests that a receiver had between "read" and "answered", over everything that uses this behaviour. */
export type Counted = Behaviour & { readonly most: number; readonly now: number };

/** A behaviour that counts how many requests it has in hand at the same time. */
export function counted(behaviour: Behaviour): Counted {
  let now = 0;
  let most = 0;
  return {
    ...behaviour,
    get most() {
      return most;
    },
    get now() {
      return now;
    },
    answer(response) {
      now += 1;
      most = Math.max(most, now);
      response.once('close', () => {
        now -= 1;
      });
      behaviour.answer(response);
    },
  };
}
