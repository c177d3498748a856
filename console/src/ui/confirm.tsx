import { type ReactNode, useEffect, useState } from 'react';
import { whole } from '../format/numbers.ts';
import { type Confirmation, typedNumber } from './blast-radius.ts';
import { Button } from './button.tsx';
import { Dialog } from './dialog.tsx';
import { Field } from './field.tsx';
import { Refusal } from './notice.tsx';

/** Asks before something is done, by how much it is about. */
export function Confirm({
  open,
  onClose,
  onConfirm,
  title,
  verb,
  deliveries,
  confirmation,
  danger,
  busy,
  error,
  children,
}: {
  open: boolean;
  onClose: () => void;
  onConfirm: () => void;
  title: string;
  verb: string;
  deliveries: number;
  confirmation: Confirmation;
  danger?: boolean;
  busy?: boolean;
  error?: unknown;
  children: ReactNode;
}) {
  const [typed, setTyped] = useState('');
  useEffect(() => {
    if (!open) setTyped('');
  }, [open]);
  const ready = confirmation !== 'number' || typedNumber(typed, deliveries);
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title={title}
      about={children}
      actions={
        <>
          <Button onClick={onClose}>Not now</Button>
          <Button
            look={danger ? 'danger' : 'primary'}
            type="submit"
            form="confirm"
            busy={busy}
            refused={ready ? undefined : `Type ${whole(deliveries)} first.`}
          >
            {verb}
          </Button>
        </>
      }
    >
      <form
        id="confirm"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready && !busy) onConfirm();
        }}
      >
        {confirmation === 'number' ? (
          <Field
            label={`Type the number of deliveries, ${whole(deliveries)}, to go on`}
            value={typed}
            onValue={setTyped}
            inputMode="numeric"
            autoComplete="off"
          />
        ) : null}
      </form>
      {error ? <Refusal error={error} /> : null}
    </Dialog>
  );
}
