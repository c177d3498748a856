import { usePreferences } from '../../api/preferences.tsx';
import { dateAndTime, type TimeWords, zoneName } from '../../format/times.ts';

/** Shows a time in the zone that was chosen; what is no time, as a URL may have it, as it is written. */
export function useTimeWords(): TimeWords {
  const { zone } = usePreferences();
  return (at) => (Number.isNaN(Date.parse(at)) ? at : `${dateAndTime(at, zone)} ${zoneName(zone)}`);
}
