import { answerOf, hasCode } from '@redrive/client';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { calls, type Schema } from '../../api/client.ts';
import { timeRange } from '../../format/durations.ts';
import { counted, whole } from '../../format/numbers.ts';
import { confirmationFor } from '../../ui/blast-radius.ts';
import { Button } from '../../ui/button.tsx';
import { Confirm } from '../../ui/confirm.tsx';
import { Notice, Refusal } from '../../ui/notice.tsx';
import { Drift } from './drift.tsx';
import { repeatWords } from './risk-words.ts';

/** Lets a plan run by its hash, after as much has been said as it could do harm. */
export function Execute({
  plan,
  refused,
  onDone,
}: {
  plan: Schema<'Plan'>;
  refused: string | undefined;
  onDone: (operationId: string) => void;
}) {
  const { count, risks } = plan;
  const [asked, setAsked] = useState(false);
  const duplicates = risks.mayHaveArrived + (plan.kind === 'replay' ? risks.alreadyDelivered : 0);
  const confirmation = confirmationFor(count.sends, duplicates > 0);
  const verb = risks.awaitsApproval > 0 ? 'Ask for approval' : 'Run';
  const { mutate, isPending, error } = useMutation({
    mutationFn: () =>
      answerOf(
        calls.POST('/api/v1/retries/plans/{id}/execute', {
          params: { path: { id: plan.id } },
          body: { planHash: plan.planHash ?? '' },
        }),
      ),
    onSuccess: ({ operationId }) => onDone(operationId),
  });
  const said =
    error &&
    (hasCode(error, 'drift_too_large') ? <Drift drift={error.problem.drift} /> : <Refusal error={error} />);
  return (
    <>
      <Button
        look="primary"
        needs="recover:plans"
        refused={refused}
        busy={isPending}
        onClick={() => (confirmation === 'none' ? mutate() : setAsked(true))}
      >
        {confirmation === 'none' ? verb : `${verb}…`}
      </Button>
      {confirmation === 'none' ? said : null}
      <Confirm
        open={asked}
        onClose={() => setAsked(false)}
        onConfirm={() => mutate()}
        title={`Send ${counted(count.sends, 'delivery', 'deliveries')}?`}
        verb={verb}
        deliveries={count.sends}
        confirmation={confirmation}
        busy={isPending}
      >
        <p>
          To {counted(plan.endpointCount, 'endpoint')}
          {plan.timeToFinish ? `, in ${timeRange(plan.timeToFinish)}` : ''}. It can be paused and cancelled at
          any time; what has been sent stays sent.
        </p>
        {duplicates > 0 ? (
          <Notice tone="bad" title={`${whole(duplicates)} may arrive twice`}>
            <p>{repeatWords(plan)}</p>
          </Notice>
        ) : null}
        {said}
      </Confirm>
    </>
  );
}
