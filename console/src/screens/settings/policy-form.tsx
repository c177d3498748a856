import { answerOf } from '@redrive/client';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { calls, type Schema } from '../../api/client.ts';
import { useReadForForm } from '../../api/read-for-form.ts';
import { words } from '../../format/words.ts';
import { writtenNumber } from '../../format/written-number.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { ChooseSome, Field, Fields } from '../../ui/field.tsx';
import { Loaded, Refusal } from '../../ui/notice.tsx';
import { Stack } from '../../ui/page.tsx';

type Kept = Schema<'Policy'>;
type When = Kept['approveWhen'][number];

const WHEN = ['mayHaveArrived', 'endpointChanged', 'replayOfDelivered'] as const;
const QUOTAS = ['itemsPerOperation', 'itemsPerDay', 'openOperations', 'ratePerSecond'] as const;

/** Changes the policy as a whole; what this form does not show stays as it is. */
export function PolicyForm({ onClose }: { onClose: () => void }) {
  const query = useReadForForm({
    queryKey: ['policy'],
    queryFn: ({ signal }) => answerOf(calls.GET('/api/v1/policy', { signal })),
  });
  return (
    <Loaded query={query} what="the policy">
      {({ policy }) => <Form kept={policy} onClose={onClose} />}
    </Loaded>
  );
}

function Form({ kept, onClose }: { kept: Kept; onClose: () => void }) {
  const queries = useQueryClient();
  const [numbers, setNumbers] = useState<Record<string, string>>(() => ({
    reasonAbove: textOf(kept.reasonAbove),
    approveAbove: textOf(kept.approveAbove),
    approvers: textOf(kept.approvers.count),
    ...Object.fromEntries(QUOTAS.map((quota) => [quota, textOf(kept.quotas[quota] ?? null)])),
  }));
  const [pattern, setPattern] = useState(kept.ticketPattern ?? '');
  const [when, setWhen] = useState(kept.approveWhen);
  const numberOf = (name: string) => writtenNumber(numbers[name] ?? '').value;
  const wrong = Object.values(numbers)
    .map((text) => writtenNumber(text).wrong)
    .find((why) => why !== undefined);
  const save = useMutation({
    mutationFn: () =>
      answerOf(
        calls.PUT('/api/v1/policy', {
          body: {
            ...given('reasonAbove', numberOf('reasonAbove')),
            ...given('ticketPattern', pattern.trim() === '' ? undefined : pattern.trim()),
            ...given('approveAbove', numberOf('approveAbove')),
            approveWhen: when,
            approvers: { count: numberOf('approvers') ?? 1 },
            quotas: Object.assign({}, ...QUOTAS.map((quota) => given(quota, numberOf(quota)))),
            freezeWindows: kept.freezeWindows.map(({ endpoints, ...window }) => ({
              ...window,
              ...given('endpoints', endpoints ?? undefined),
            })),
          },
        }),
      ),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['me'] });
      onClose();
    },
  });
  const field = (name: string, label: string, hint?: string) => (
    <Field
      label={label}
      {...(hint === undefined ? {} : { hint })}
      wrong={writtenNumber(numbers[name] ?? '').wrong}
      inputMode="decimal"
      value={numbers[name] ?? ''}
      onValue={(value) => setNumbers((before) => ({ ...before, [name]: value }))}
    />
  );
  return (
    <Dialog
      open
      onClose={onClose}
      title="The policy of the tenant"
      about={
        <p>
          It counts for what is accepted or executed from now on. Empty sets no limit; the floor of the
          platform stays.
        </p>
      }
      actions={
        <>
          <Button onClick={onClose}>Not now</Button>
          <Button look="primary" busy={save.isPending} refused={wrong} onClick={() => save.mutate()}>
            Set the policy
          </Button>
        </>
      }
    >
      <Stack>
        <Fields>
          {field('reasonAbove', 'A reason above, deliveries')}
          <Field
            label="Form of a ticket"
            hint="Such as [A-Z]{2,5}-\d+"
            value={pattern}
            onValue={setPattern}
          />
          {field('approveAbove', 'Approval above, deliveries')}
          {field('approvers', 'Approvers', 'Distinct people, 1 to 5.')}
        </Fields>
        <ChooseSome
          label="Approval, however small, where it"
          choices={WHEN.map((value) => ({ value, text: words(value) }))}
          values={when}
          onValues={(values) => setWhen(values as When[])}
        />
        <Fields>
          {QUOTAS.map((quota) => (
            <div key={quota}>{field(quota, `Quota: ${words(quota)}`)}</div>
          ))}
        </Fields>
        {save.error ? <Refusal error={save.error} /> : null}
      </Stack>
    </Dialog>
  );
}

function textOf(value: number | null): string {
  return value === null ? '' : String(value);
}

function given<Value>(name: string, value: Value | undefined): Record<string, Value> {
  return value === undefined ? {} : { [name]: value };
}
