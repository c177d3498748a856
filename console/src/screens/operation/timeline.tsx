import { rate } from '../../format/numbers.ts';
import { haltWords, sentence } from '../../format/words.ts';
import { Actor, Time } from '../../ui/text.tsx';
import type { Operation } from './operation-screen.tsx';
import styles from './timeline.module.css';

interface Happened {
  at: string;
  did: string;
  by: string;
  note?: string | undefined;
}

/** What was done to an operation, in words. */
export const DID: Readonly<Record<string, string>> = {
  accept: 'Accepted',
  plan: 'Planned',
  pause: 'Paused',
  resume: 'Resumed',
  cancel: 'Cancelled',
  halt: 'Halted',
  execute: 'Let run',
  rate: 'Rate changed',
  approve: 'Approved',
  reject: 'Rejected',
  emergency: 'Let run as an emergency',
  hold: 'Held by the policy',
  explain: 'Explained',
  close: 'Closed',
};

/** Who did what to an operation, and when. */
export function Timeline({ operation }: { operation: Operation }) {
  return (
    <ol className={styles.timeline}>
      {happenings(operation).map(({ at, did, by, note }) => (
        <li key={`${at} ${did} ${by}`}>
          <Time at={at} whole />
          <span>
            <strong>{DID[did] ?? sentence(did)}</strong> by <Actor actor={by} />
            {note === undefined ? null : `: ${note}`}
          </span>
        </li>
      ))}
    </ol>
  );
}

/** In the order in which it happened. */
function happenings(operation: Operation): Happened[] {
  const halts = [...operation.halts];
  const said = operation.approval?.verdicts ?? [];
  return [
    {
      at: operation.createdAt,
      did: operation.plan === null ? 'accept' : 'plan',
      by: operation.requestedBy,
      note: operation.reason ?? undefined,
    },
    ...operation.controls.map((control) => ({
      ...control,
      note:
        control.did === 'rate'
          ? control.ratePerSecond === null || control.ratePerSecond === undefined
            ? 'no limit of its own'
            : rate(control.ratePerSecond)
          : control.did === 'halt'
            ? haltWords(halts.shift()?.reason ?? 'for a reason that is not known')
            : (said.find(({ verdict, by }) => verdict === control.did && by === control.by)?.comment ??
              undefined),
    })),
    ...(operation.closedAt === null ? [] : [{ at: operation.closedAt, did: 'close', by: 'redrive' }]),
  ].sort((one, other) => one.at.localeCompare(other.at));
}
