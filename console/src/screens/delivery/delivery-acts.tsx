import { answerOf } from '@redrive/client';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { calls, type Schema } from '../../api/client.ts';
import { Button, buttonClass } from '../../ui/button.tsx';
import { Confirm } from '../../ui/confirm.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Choose, Field } from '../../ui/field.tsx';
import { Refusal } from '../../ui/notice.tsx';
import { Stack } from '../../ui/page.tsx';
import { mayArriveTwice } from './twice.ts';

type Delivery = Schema<'DeliveryDetails'>;

/** What a person can do about one delivery. */
export function DeliveryActs({ delivery }: { delivery: Delivery }) {
  const { id, state } = delivery;
  const [asked, setAsked] = useState<'retry' | 'settle'>();
  const navigate = useNavigate();
  const retry = useMutation({
    mutationFn: () =>
      answerOf(
        calls.POST('/api/v1/retries', {
          params: { header: { 'Idempotency-Key': crypto.randomUUID() } },
          body: { select: { deliveryIds: [id] }, mode: 'retry', target: 'current' },
        }),
      ),
    onSuccess: (operation) => void navigate({ to: '/operations/$id', params: { id: operation.id } }),
  });
  const twice = mayArriveTwice(delivery);
  return (
    <>
      {retry.error && asked === undefined ? <Refusal error={retry.error} /> : null}
      {state === 'unknown' ? (
        <Button look="primary" needs="write:deliveries" onClick={() => setAsked('settle')}>
          Say what became of it…
        </Button>
      ) : null}
      {state === 'delivered' ? (
        <Link to="/recover" search={{ ids: [id], mode: 'replay', canary: 'none' }} className={buttonClass()}>
          Replay…
        </Link>
      ) : (
        <Button
          look={state === 'failed' ? 'primary' : undefined}
          needs="write:deliveries"
          busy={retry.isPending}
          onClick={() => (twice ? setAsked('retry') : retry.mutate())}
        >
          {twice ? 'Retry…' : 'Retry'}
        </Button>
      )}
      <Confirm
        open={asked === 'retry'}
        onClose={() => setAsked(undefined)}
        onConfirm={() => retry.mutate()}
        title="Send it again?"
        verb="Retry"
        deliveries={1}
        confirmation="number"
        busy={retry.isPending}
        error={retry.error}
      >
        <p>An attempt may have arrived: its receiver may get it twice, with the same webhook-id.</p>
      </Confirm>
      <Settle delivery={delivery} open={asked === 'settle'} onClose={() => setAsked(undefined)} />
    </>
  );
}

const OUTCOMES = [
  { value: 'delivered', text: 'The receiver has it' },
  { value: 'retry', text: 'It does not have it: send it again' },
  { value: 'failed', text: 'It does not have it: leave it failed' },
] as const;

type Outcome = (typeof OUTCOMES)[number]['value'];

function Settle({
  delivery: { id },
  open,
  onClose,
}: {
  delivery: Delivery;
  open: boolean;
  onClose: () => void;
}) {
  const queries = useQueryClient();
  const [outcome, setOutcome] = useState<Outcome>('delivered');
  const [reason, setReason] = useState('');
  const settle = useMutation({
    mutationFn: () =>
      answerOf(
        calls.POST('/api/v1/deliveries/{id}/resolve', {
          params: { path: { id } },
          body: { outcome, confirm: true, ...(reason.trim() === '' ? {} : { reason: reason.trim() }) },
        }),
      ),
    onSuccess: () => {
      onClose();
      return queries.invalidateQueries({ queryKey: ['delivery', id] });
    },
  });
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title="What became of it?"
      about={<p>Nobody knows whether it arrived. What you say stands in the audit, with your name.</p>}
      actions={
        <>
          <Button onClick={onClose}>Not now</Button>
          <Button look="primary" busy={settle.isPending} onClick={() => settle.mutate()}>
            Say so
          </Button>
        </>
      }
    >
      <Stack>
        <Choose
          label="The receiver"
          choices={OUTCOMES}
          value={outcome}
          onValue={(value) => setOutcome(value as Outcome)}
        />
        {outcome === 'retry' ? (
          <p>Where the policy would hold a retry of it, this is refused: leave it failed, and retry it.</p>
        ) : null}
        <Field label="How do you know?" value={reason} onValue={setReason} maxLength={1_000} />
        {settle.error ? <Refusal error={settle.error} /> : null}
      </Stack>
    </Dialog>
  );
}
