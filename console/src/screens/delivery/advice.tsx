import { useQuery } from '@tanstack/react-query';
import type { Schema } from '../../api/client.ts';
import { adviceQuery } from '../../api/queries.ts';
import { Loaded, Notice } from '../../ui/notice.tsx';
import type { Tone } from '../../ui/state.tsx';

const STEPS: Readonly<Record<Schema<'Advice'>['step'], { tone: Tone; title: string }>> = {
  none: { tone: 'good', title: 'Nothing is to be done' },
  wait: { tone: 'going', title: 'Wait' },
  follow: { tone: 'going', title: 'Follow the one that stands for it' },
  settle: { tone: 'care', title: 'Find out whether it arrived, and say so' },
  release: { tone: 'care', title: 'Lift what holds it' },
  fix_endpoint: { tone: 'bad', title: 'Put the endpoint right, then retry' },
  retry: { tone: 'bad', title: 'Retry it' },
  confirm: { tone: 'care', title: 'Ask the receiver before you send it again' },
  send_again: { tone: 'care', title: 'Send the event again from its source' },
};

/** The safest next step for a delivery, and why: decided by the API as it decides about every retry. */
export function Advice({ deliveryId, state }: { deliveryId: string; state: string }) {
  const query = useQuery(adviceQuery(deliveryId, state));
  return (
    <Loaded query={query} what="the advice">
      {({ step, happened, why, next }) => (
        <Notice tone={STEPS[step].tone} title={STEPS[step].title}>
          <p>
            {happened} {why}
          </p>
          <p>{next}</p>
        </Notice>
      )}
    </Loaded>
  );
}
