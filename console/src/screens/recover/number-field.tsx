import { useEffect, useState } from 'react';
import { type WrittenNumber, writtenAboveZero, writtenNumber } from '../../format/written-number.ts';
import { Field } from '../../ui/field.tsx';

/**
 * A number that may be empty, unless it is needed; it counts as it is typed. What cannot be taken for a number stays, and
 * is told: put back to what it was, it would look as if it counted.
 */
export function NumberField({
  label,
  hint,
  value,
  needed = false,
  onValue,
  onWrong,
}: {
  label: string;
  hint?: string;
  value: number | undefined;
  needed?: boolean;
  onValue: (value: number | undefined) => void;
  onWrong: (label: string, why: string | undefined) => void;
}) {
  const [typed, setTyped] = useState<string>();
  const { wrong } = typed === undefined ? {} : read(typed, needed);
  useEffect(() => {
    onWrong(label, wrong);
    return () => onWrong(label, undefined);
  }, [onWrong, label, wrong]);
  return (
    <Field
      label={label}
      {...(hint === undefined ? {} : { hint })}
      wrong={wrong}
      inputMode="decimal"
      value={typed ?? (value === undefined ? '' : String(value))}
      onValue={(text) => {
        setTyped(text);
        const written = read(text, needed);
        if (written.wrong === undefined) onValue(written.value);
      }}
      onBlur={() => {
        if (wrong === undefined) setTyped(undefined);
      }}
    />
  );
}

function read(text: string, needed: boolean): WrittenNumber {
  if (!needed) return writtenAboveZero(text);
  return text.trim() === '' ? { wrong: 'Write a number.' } : writtenNumber(text);
}
