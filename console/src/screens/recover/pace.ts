import { inputText, type SearchInput } from '../../api/search-input.ts';

/** How fast and how carefully a recovery goes; undefined where it is not limited. */
export interface Pace {
  ratePerSecond?: number;
  canary?: { count: number; maxFailurePercent: number };
  ramp?: { startPerSecond: number; everySeconds: number };
  haltAtFailurePercent?: number;
}

/** A careful start: what the screen proposes where the URL says nothing. */
export const CAREFUL: Pace = {
  ratePerSecond: 50,
  canary: { count: 25, maxFailurePercent: 10 },
  haltAtFailurePercent: 50,
};

/** The pace in a URL: `canary=25:10` is a canary of 25, held above 10 %; `none` takes a limit away. */
export function paceOf(search: SearchInput, standard: Pace = CAREFUL): Pace {
  const read = <Value>(name: string, kept: Value | undefined, parse: (text: string) => Value | undefined) => {
    const text = inputText(search[name]);
    if (text === undefined) return kept;
    return text === 'none' ? undefined : parse(text);
  };
  const pair = (text: string): [number, number] | undefined => {
    const [one, other] = text.split(':').map(Number);
    return one !== undefined && other !== undefined && one > 0 && other >= 0 ? [one, other] : undefined;
  };
  const ratePerSecond = read('rate', standard.ratePerSecond, positive);
  const canary = read('canary', standard.canary, (text) => {
    const found = pair(text);
    return found && { count: Math.round(found[0]), maxFailurePercent: found[1] };
  });
  const ramp = read('ramp', standard.ramp, (text) => {
    const found = pair(text);
    return found && { startPerSecond: found[0], everySeconds: Math.max(1, Math.round(found[1])) };
  });
  // At 0 the first bad one halts it.
  const haltAtFailurePercent = read('halt', standard.haltAtFailurePercent, (text) =>
    text === '0' ? 0 : positive(text),
  );
  return {
    ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
    ...(canary === undefined ? {} : { canary }),
    ...(ramp === undefined ? {} : { ramp }),
    ...(haltAtFailurePercent === undefined ? {} : { haltAtFailurePercent }),
  };
}

/** The same as parameters of a URL. */
export function paceSearch({ ratePerSecond, canary, ramp, haltAtFailurePercent }: Pace): SearchInput {
  return {
    rate: ratePerSecond === undefined ? 'none' : String(ratePerSecond),
    canary: canary ? `${canary.count}:${canary.maxFailurePercent}` : 'none',
    ramp: ramp ? `${ramp.startPerSecond}:${ramp.everySeconds}` : 'none',
    halt: haltAtFailurePercent === undefined ? 'none' : String(haltAtFailurePercent),
  };
}

function positive(text: string): number | undefined {
  const value = Number(text);
  return Number.isFinite(value) && value > 0 ? value : undefined;
}

/** How long this many requests take at this pace, at least; undefined where nothing limits them. */
export function secondsAt(requests: number, { ratePerSecond, ramp }: Pace): number | undefined {
  if (ratePerSecond === undefined && ramp === undefined) return undefined;
  let rate = ramp ? ramp.startPerSecond : (ratePerSecond ?? 1);
  const most = ratePerSecond ?? Number.POSITIVE_INFINITY;
  let left = requests;
  let seconds = 0;
  // Each span of a ramp doubles the rate: after some dozens of them any number of requests is through.
  while (ramp && rate < most && left > rate * ramp.everySeconds) {
    left -= rate * ramp.everySeconds;
    seconds += ramp.everySeconds;
    rate = Math.min(most, rate * 2);
  }
  return Math.ceil(seconds + left / rate);
}
