import { useEffect, useState } from 'react';
import type { Range } from '../../api/queries.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** The last 24 hours by the minute; it moves on as minutes pass. */
export function useRange(): Range {
  const [end, setEnd] = useState(nextMinute);
  useEffect(() => {
    const timer = setInterval(() => setEnd(nextMinute()), MINUTE_MS / 2);
    return () => clearInterval(timer);
  }, []);
  return {
    from: new Date(end - DAY_MS).toISOString(),
    to: new Date(end).toISOString(),
    granularity: 'minute',
  };
}

function nextMinute(): number {
  return Math.ceil(Date.now() / MINUTE_MS) * MINUTE_MS;
}
