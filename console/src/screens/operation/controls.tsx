import { answerOf } from '@redrive/client';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { calls } from '../../api/client.ts';
import { hasEnded } from '../../api/newer.ts';
import { counted, whole } from '../../format/numbers.ts';
import { confirmationFor } from '../../ui/blast-radius.ts';
import { Button, buttonClass } from '../../ui/button.tsx';
import { Confirm } from '../../ui/confirm.tsx';
import { Refusal } from '../../ui/notice.tsx';
import { Quiet } from '../../ui/text.tsx';
import { onTheWire, unsentOf } from './extent.ts';
import type { Operation } from './operation-screen.tsx';
import { RateDialog } from './rate-dialog.tsx';

const SCOPE = 'recover:plans';
type Verb = 'pause' | 'resume' | 'cancel';

/** Steers an operation in place, and says what is on the wire meanwhile. */
export function Controls({ operation }: { operation: Operation }) {
  const { id, state, counts } = operation;
  const queries = useQueryClient();
  const [asked, setAsked] = useState<'cancel' | 'rate'>();
  const control = useMutation({
    mutationFn: (verb: Verb) =>
      answerOf(calls.POST(`/api/v1/retries/{id}/${verb}`, { params: { path: { id } } })),
    onSuccess: () => {
      setAsked(undefined);
      return queries.invalidateQueries({ queryKey: ['operation', id] });
    },
  });
  const ended = hasEnded(state);
  const unsent = unsentOf(operation);
  const onWire = control.data && !ended ? onTheWire(control.data.inFlight, counts.sending) : undefined;
  const left = counts.failed + counts.unknown + counts.cancelled + counts.ignored;
  return (
    <>
      {control.error && asked === undefined ? <Refusal error={control.error} /> : null}
      {onWire === undefined ? null : (
        <output>
          <Quiet>
            {onWire === 'nothing'
              ? 'Nothing is on the wire.'
              : `${counted(onWire, 'request is', 'requests are')} on the wire and will end.`}
          </Quiet>
        </output>
      )}
      {['accepted', 'selecting', 'running'].includes(state) ? (
        <>
          <Button needs={SCOPE} busy={control.isPending} onClick={() => control.mutate('pause')}>
            Pause
          </Button>
          <Button needs={SCOPE} onClick={() => setAsked('rate')}>
            Rate…
          </Button>
        </>
      ) : null}
      {state === 'planned' && operation.plan ? (
        <Link to="/recover" search={{ plan: operation.plan.id }} className={buttonClass('primary')}>
          Look at the plan
        </Link>
      ) : null}
      {state === 'paused' || state === 'halted' ? (
        <>
          <Button
            look="primary"
            needs={SCOPE}
            busy={control.isPending}
            onClick={() => control.mutate('resume')}
          >
            Resume
          </Button>
          <Button needs={SCOPE} onClick={() => setAsked('rate')}>
            Rate…
          </Button>
        </>
      ) : null}
      {ended || state === 'closing' ? null : (
        <Button look="danger" needs={SCOPE} onClick={() => setAsked('cancel')}>
          Cancel…
        </Button>
      )}
      {ended ? (
        <>
          {counts.failed > 0 ? (
            <Link to="/recover" search={{ failuresOf: id }} className={buttonClass()}>
              Retry what failed…
            </Link>
          ) : null}
          {left > counts.failed ? (
            <Link to="/recover" search={{ remainderOf: id }} className={buttonClass()}>
              Recover what is left…
            </Link>
          ) : null}
          <Link to="/operations/$id/report" params={{ id }} className={buttonClass('primary')}>
            Report
          </Link>
        </>
      ) : null}
      <Confirm
        open={asked === 'cancel'}
        onClose={() => setAsked(undefined)}
        onConfirm={() => control.mutate('cancel')}
        title="Cancel what is left?"
        verb={`Cancel ${whole(unsent)}`}
        deliveries={unsent}
        confirmation={confirmationFor(unsent, false)}
        danger
        busy={control.isPending}
        error={control.error}
      >
        <p>
          {counted(unsent, 'delivery', 'deliveries')} will not be sent by this operation.{' '}
          {counts.sending === 0
            ? 'Nothing is on the wire.'
            : `${whole(counts.sending)} on the wire will end as they end.`}{' '}
          What was delivered stays delivered; what is left can be recovered again.
        </p>
      </Confirm>
      <RateDialog operation={operation} open={asked === 'rate'} onClose={() => setAsked(undefined)} />
    </>
  );
}
