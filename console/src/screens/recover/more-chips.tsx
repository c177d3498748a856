import type { Schema } from '../../api/client.ts';
import { type Chip, Chips } from '../../ui/chips.tsx';
import { optionFact } from './how-facts.ts';
import { MORE_OPTIONS } from './more-options.ts';
import { useTimeWords } from './use-time-words.ts';

/** The options that have no field, as they came from a plan or in an address; each can be taken away. */
export function MoreChips({
  options,
  remove,
}: {
  options: Schema<'RetryOptions'>;
  remove: (member: string) => void;
}) {
  const time = useTimeWords();
  const chips = MORE_OPTIONS.flatMap((member): Chip[] => {
    if (options[member] === undefined) return [];
    const { name, text } = optionFact(options, member, time);
    return [{ key: member, name, value: text ?? String(options[member]), remove: () => remove(member) }];
  });
  return chips.length === 0 ? null : <Chips chips={chips} />;
}
