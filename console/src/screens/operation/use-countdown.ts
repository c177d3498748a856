import { useEffect, useState } from 'react';
import { duration } from '../../format/durations.ts';

/** The time that is left until then, as it goes; undefined where it is over or not known. */
export function useCountdown(at: string | null | undefined): string | undefined {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!at) return;
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [at]);
  const left = at ? Date.parse(at) - now : 0;
  return left > 0 ? duration(Math.ceil(left / 1_000) * 1_000) : undefined;
}
