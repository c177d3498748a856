import { useState } from 'react';
import { Check, Field, Fields } from '../../ui/field.tsx';
import { CAREFUL, type Pace } from './pace.ts';

/** The pace as fields. */
export function PaceFields({ pace, onPace }: { pace: Pace; onPace: (pace: Pace) => void }) {
  const set = (change: { [Member in keyof Pace]?: Pace[Member] | undefined }) => {
    const next = { ...pace, ...change };
    onPace(Object.fromEntries(Object.entries(next).filter(([, value]) => value !== undefined)) as Pace);
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
            needed
            onValue={(count = 1) => set({ canary: { ...canary, count: Math.max(1, Math.round(count)) } })}
          />
          <NumberField
            label="Hold the others above, % bad"
            value={canary.maxFailurePercent}
            needed
            onValue={(percent = 0) => set({ canary: { ...canary, maxFailurePercent: percent } })}
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
            needed
            onValue={(start = 1) => set({ ramp: { ...ramp, startPerSecond: start } })}
          />
          <NumberField
            label="Double every, seconds"
            value={ramp.everySeconds}
            needed
            onValue={(every = 60) => set({ ramp: { ...ramp, everySeconds: Math.max(1, Math.round(every)) } })}
          />
        </Fields>
      ) : null}
    </>
  );
}

/** A number that may be empty, unless it is needed; it counts as it is typed, and what is none is put right afterwards. */
function NumberField({
  label,
  hint,
  value,
  needed = false,
  onValue,
}: {
  label: string;
  hint?: string;
  value: number | undefined;
  needed?: boolean;
  onValue: (value: number | undefined) => void;
}) {
  const [typed, setTyped] = useState<string>();
  return (
    <Field
      label={label}
      {...(hint === undefined ? {} : { hint })}
      inputMode="decimal"
      value={typed ?? (value === undefined ? '' : String(value))}
      onValue={(text) => {
        setTyped(text);
        const number = Number(text.replace(',', '.'));
        if (text.trim() === '') {
          if (!needed) onValue(undefined);
        } else if (number > 0 || (number === 0 && needed)) onValue(number);
      }}
      onBlur={() => setTyped(undefined)}
    />
  );
}
