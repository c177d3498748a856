import { Check, Fields } from '../../ui/field.tsx';
import { NumberField } from './number-field.tsx';
import { CAREFUL, type Pace } from './pace.ts';

/** The pace as fields. */
export function PaceFields({
  pace,
  onPace,
  onWrong,
}: {
  pace: Pace;
  onPace: (pace: Pace) => void;
  onWrong: (label: string, why: string | undefined) => void;
}) {
  const set = (change: { [Member in keyof Pace]?: Pace[Member] | undefined }) => {
    const next = { ...pace, ...change };
    onPace(Object.fromEntries(Object.entries(next).filter(([, value]) => value !== undefined)) as Pace);
  };
  const { canary, ramp } = pace;
  return (
    <>
      <Fields>
        <NumberField
          onWrong={onWrong}
          label="Rate, requests a second"
          hint="Over all endpoints; empty for no limit of its own."
          value={pace.ratePerSecond}
          onValue={(ratePerSecond) => set({ ratePerSecond })}
        />
        <NumberField
          onWrong={onWrong}
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
            onWrong={onWrong}
            label="Canary, deliveries of each endpoint"
            value={canary.count}
            needed
            onValue={(count = 1) => set({ canary: { ...canary, count: Math.max(1, Math.round(count)) } })}
          />
          <NumberField
            onWrong={onWrong}
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
            onWrong={onWrong}
            label="Begin with, requests a second"
            value={ramp.startPerSecond}
            needed
            onValue={(start = 1) => set({ ramp: { ...ramp, startPerSecond: start } })}
          />
          <NumberField
            onWrong={onWrong}
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
