import { answerOf, hasCode } from '@redrive/client';
import { useMutation } from '@tanstack/react-query';
import { useEffect } from 'react';
import { calls, type Schema } from '../../api/client.ts';
import { timeRange } from '../../format/durations.ts';
import { counted, whole } from '../../format/numbers.ts';
import { confirmationFor } from '../../ui/blast-radius.ts';
import { Confirm } from '../../ui/confirm.tsx';
import { Notice, Refusal } from '../../ui/notice.tsx';
import { Drift } from './drift.tsx';

/** Lets a plan run by its hash, after as much has been said as it could do harm. */
export function Execute({
  plan,
  open,
  onClose,
  onDone,
}: {
  plan: Schema<'Plan'>;
  open: boolean;
  onClose: () => void;
  onDone: (operationId: string) => void;
}) {
  const { count, risks } = plan;
  const duplicates = risks.mayHaveArrived + (plan.kind === 'replay' ? risks.alreadyDelivered : 0);
  const confirmation = confirmationFor(count.sends, duplicates > 0);
  const execute = useMutation({
    mutationFn: () =>
      answerOf(
        calls.POST('/api/v1/retries/plans/{id}/execute', {
          params: { path: { id: plan.id } },
          body: { planHash: plan.planHash ?? '' },
        }),
      ),
    onSuccess: ({ operationId }) => onDone(operationId),
  });
  const { mutate, isIdle } = execute;
  useEffect(() => {
    if (open && confirmation === 'none' && isIdle) mutate();
  }, [open, confirmation, isIdle, mutate]);
  const { error } = execute;
  if (confirmation === 'none') return error ? <Refusal error={error} /> : null;
  return (
    <Confirm
      open={open}
      onClose={onClose}
      onConfirm={() => mutate()}
      title={`Send ${counted(count.sends, 'delivery', 'deliveries')}?`}
      verb={risks.awaitsApproval > 0 ? 'Ask for approval' : 'Run'}
      deliveries={count.sends}
      confirmation={confirmation}
      busy={execute.isPending}
      error={hasCode(error, 'drift_too_large') ? undefined : error}
    >
      <p>
        To {counted(plan.endpointCount, 'endpoint')}
        {plan.timeToFinish ? `, in ${timeRange(plan.timeToFinish)}` : ''}. It can be paused and cancelled at
        any time; what has been sent stays sent.
      </p>
      {duplicates > 0 ? (
        <Notice tone="bad" title={`${whole(duplicates)} may arrive twice`}>
          <p>Their receivers may have them already. Those that look at the webhook-id notice it.</p>
        </Notice>
      ) : null}
      {hasCode(error, 'drift_too_large') ? <Drift drift={error.problem.drift} /> : null}
    </Confirm>
  );
}
