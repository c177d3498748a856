import { answerOf } from '@redrive/client';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { calls } from '../../api/client.ts';
import { writtenAboveZero } from '../../format/written-number.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Field } from '../../ui/field.tsx';
import { Refusal } from '../../ui/notice.tsx';
import type { Operation } from './operation-screen.tsx';

/** Changes how fast an operation goes. */
export function RateDialog({
  operation,
  open,
  onClose,
}: {
  operation: Operation;
  open: boolean;
  onClose: () => void;
}) {
  const { id, ratePerSecond } = operation;
  const queries = useQueryClient();
  const [text, setText] = useState<string>();
  const change = useMutation({
    mutationFn: (limit: number | null) =>
      answerOf(
        calls.POST('/api/v1/retries/{id}/rate', { params: { path: { id } }, body: { ratePerSecond: limit } }),
      ),
    onSuccess: () => {
      close();
      return queries.invalidateQueries({ queryKey: ['operation', id] });
    },
  });
  const shown = text ?? (ratePerSecond === null ? '' : String(ratePerSecond));
  const { value = null, wrong } = writtenAboveZero(shown);
  const close = () => {
    onClose();
    setText(undefined);
  };
  return (
    <Dialog
      open={open}
      onClose={close}
      title="Change the rate"
      about={<p>It counts half a second later, for all workers together.</p>}
      actions={
        <>
          <Button onClick={close}>Not now</Button>
          <Button look="primary" type="submit" form="rate" busy={change.isPending} refused={wrong}>
            Set the rate
          </Button>
        </>
      }
    >
      <form
        id="rate"
        onSubmit={(event) => {
          event.preventDefault();
          if (wrong === undefined) change.mutate(value);
        }}
      >
        <Field
          label="Requests a second, over all endpoints"
          hint="Empty lifts the limit of the operation; those of the endpoints stay."
          inputMode="decimal"
          wrong={wrong}
          value={shown}
          onValue={setText}
        />
      </form>
      {change.error ? <Refusal error={change.error} /> : null}
    </Dialog>
  );
}
