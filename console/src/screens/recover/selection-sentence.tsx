import { useEndpointNames } from '../../api/endpoint-names.ts';
import { usePreferences } from '../../api/preferences.tsx';
import { dateAndTime, zoneName } from '../../format/times.ts';
import type { Selection } from './selection.ts';
import { selectionWords } from './selection-words.ts';

/** A selection as one sentence, with handles and times as they are shown elsewhere. */
export function SelectionSentence({ selection }: { selection: Selection }) {
  const endpoint = useEndpointNames();
  const { zone } = usePreferences();
  return (
    <p>
      {selectionWords(selection, { endpoint, time: (at) => `${dateAndTime(at, zone)} ${zoneName(zone)}` })}
    </p>
  );
}
