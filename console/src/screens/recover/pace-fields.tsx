import { useEffect, useState } from 'react';
import type { SearchInput } from '../../api/search-input.ts';
import { Check, Field, Fields } from '../../ui/field.tsx';
import { CAREFUL, type Pace, paceSearch } from './pace.ts';

/** The pace as fields; each change goes into the URL. */
export function PaceFields({ pace, onPace }: { pace: Pace; onPace: (search: SearchInput) => void }) {
  const set = (change: { [Member in keyof Pace]?: Pace[Member] | undefined }) => {
    const next = { ...pace, ...change };
    onPace(
      paceSearch(Object.fromEntries(Object.entries(next).filter(([, value]) => value !== undefined)) as Pace),
    );
  };
  const { canary, ramp } = pace;
  return (
    <>
      <Fields>
        <NumberField
          label="Rate, requests a second"
          hint="Over all endpoints; empty for no limit of its own."
          value={pace.ratePerSecond}
          onValue={(ratePerSecond) => set({ ratePerSecond })}
        />
        <NumberField
          label="Halt above, % bad of the last minute"
          hint="From 50 attempts on; empty for never."
          value={pace.haltAtFailurePercent}
          onValue={(haltAtFailurePercent) => set({ haltAtFailurePercent })}
        />
      </Fields>
      <Check
        label="A few first: a canary at each endpoint, and the others only where it does well"
        value={canary !== undefined}
        onValue={(on) => set({ canary: on ? CAREFUL.canary : undefined })}
      />
      {canary ? (
        <Fields>
          <NumberField
            label="Canary, deliveries of each endpoint"
            value={canary.count}
            onValue={(count) => set({ canary: { ...canary, count: Math.max(1, Math.round(count ?? 1)) } })}
          />
          <NumberField
            label="Hold the others above, % bad"
            value={canary.maxFailurePercent}
            onValue={(percent) => set({ canary: { ...canary, maxFailurePercent: percent ?? 0 } })}
          />
        </Fields>
      ) : null}
      <Check
        label="Slow at first: the rate doubles as long as it goes well"
        value={ramp !== undefined}
        onValue={(on) => set({ ramp: on ? { startPerSecond: 5, everySeconds: 60 } : undefined })}
      />
      {ramp ? (
        <Fields>
          <NumberField
            label="Begin with, requests a second"
            value={ramp.startPerSecond}
            onValue={(start) => set({ ramp: { ...ramp, startPerSecond: start ?? 1 } })}
          />
          <NumberField
            label="Double every, seconds"
            value={ramp.everySeconds}
            onValue={(every) =>
              set({ ramp: { ...ramp, everySeconds: Math.max(1, Math.round(every ?? 60)) } })
            }
          />
        </Fields>
      ) : null}
    </>
  );
}

/** A number that may be empty; what is half typed stays until it is one. */
function NumberField({
  label,
  hint,
  value,
  onValue,
}: {
  label: string;
  hint?: string;
  value: number | undefined;
  onValue: (value: number | undefined) => void;
}) {
  const shown = value === undefined ? '' : String(value);
  const [text, setText] = useState(shown);
  useEffect(() => setText(shown), [shown]);
  return (
    <Field
      label={label}
      {...(hint === undefined ? {} : { hint })}
      inputMode="decimal"
      value={text}
      onValue={setText}
      onBlur={() => {
        const number = parseFloat(text.replace(',', '.'));
        const next = text.trim() === '' || !(number >= 0) ? undefined : number;
        if (next !== value) onValue(next);
        setText(next === undefined ? '' : String(next));
      }}
    />
  );
}
