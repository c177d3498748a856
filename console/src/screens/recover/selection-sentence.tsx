import { useEndpointNames } from '../../api/endpoint-names.ts';
import type { Selection } from './selection.ts';
import { selectionWords } from './selection-words.ts';
import { useTimeWords } from './use-time-words.ts';

/** A selection as one sentence, with handles and times as they are shown elsewhere. */
export function SelectionSentence({ selection }: { selection: Selection }) {
  const endpoint = useEndpointNames();
  const time = useTimeWords();
  return <p>{selectionWords(selection, { endpoint, time })}</p>;
}
