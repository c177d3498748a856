import { answerOf, ProblemError } from '@redrive/client';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { calls, type Schema } from '../../api/client.ts';
import { useReadForForm } from '../../api/read-for-form.ts';
import { words } from '../../format/words.ts';
import { writtenNumber } from '../../format/written-number.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { ChooseSome, Field, Fields } from '../../ui/field.tsx';
import { Loaded, Notice, Refusal } from '../../ui/notice.tsx';
import { Stack } from '../../ui/page.tsx';
import { Actor, Time } from '../../ui/text.tsx';
import {
  bodyOf,
  draftOf,
  type NumberName,
  type OthersChange,
  type PolicyDraft,
  policyLabel,
  QUOTAS,
  takenIn,
  wrongIn,
} from './policy-draft.ts';

type Shown = Schema<'TenantPolicy'>;

const WHEN = ['mayHaveArrived', 'endpointChanged', 'replayOfDelivered'] as const;

/** Changes the policy as a whole; what this form does not show stays as it is. */
export function PolicyForm({ onClose }: { onClose: () => void }) {
  const query = useReadForForm({
    queryKey: ['policy'],
    queryFn: ({ signal }) => answerOf(calls.GET('/api/v1/policy', { signal })),
  });
  return (
    <Loaded query={query} what="the policy">
      {(shown) => <Form first={shown} onClose={onClose} />}
    </Loaded>
  );
}

function Form({ first, onClose }: { first: Shown; onClose: () => void }) {
  const { draft, set, others, save } = useDraft(first, onClose);
  const field = (name: NumberName, hint?: string) => (
    <Field
      label={policyLabel(name)}
      {...(hint === undefined ? {} : { hint })}
      wrong={writtenNumber(draft[name]).wrong}
      inputMode="decimal"
      value={draft[name]}
      onValue={(value) => set({ [name]: value })}
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
          <Button look="primary" busy={save.isPending} refused={wrongIn(draft)} onClick={() => save.mutate()}>
            Set the policy
          </Button>
        </>
      }
    >
      <Stack>
        {others === undefined ? null : <Others {...others} />}
        <Fields>
          {field('reasonAbove')}
          <Field
            label={policyLabel('ticketPattern')}
            hint="Such as [A-Z]{2,5}-\d+"
            value={draft.ticketPattern}
            onValue={(ticketPattern) => set({ ticketPattern })}
          />
          {field('approveAbove')}
          {field('approvers', 'Distinct people, 1 to 5.')}
        </Fields>
        <ChooseSome
          label={policyLabel('approveWhen')}
          choices={WHEN.map((value) => ({ value, text: words(value) }))}
          values={draft.approveWhen}
          onValues={(values) => set({ approveWhen: values as PolicyDraft['approveWhen'] })}
        />
        <Fields>
          {QUOTAS.map((quota) => (
            <div key={quota}>{field(quota)}</div>
          ))}
        </Fields>
        {save.error ? <Refusal error={save.error} /> : null}
      </Stack>
    </Dialog>
  );
}

/** What is typed over the policy as it was read, which somebody else may set meanwhile. */
function useDraft(first: Shown, onClose: () => void) {
  const queries = useQueryClient();
  const [read, setRead] = useState(first);
  const [draft, setDraft] = useState(() => draftOf(first.policy));
  const [others, setOthers] = useState<{ by: Shown; changes: OthersChange[] }>();
  const takeIn = async (): Promise<'taken_in'> => {
    const now = await answerOf(calls.GET('/api/v1/policy'));
    const taken = takenIn(draftOf(read.policy), draftOf(now.policy), draft);
    setRead(now);
    setDraft(taken.draft);
    setOthers({ by: now, changes: taken.changes });
    return 'taken_in';
  };
  const save = useMutation({
    mutationFn: () =>
      answerOf(calls.PUT('/api/v1/policy', { body: bodyOf(draft, read.digest) })).then(
        () => 'set' as const,
        (error: unknown) => {
          if (error instanceof ProblemError && error.code === 'policy_changed') return takeIn();
          throw error;
        },
      ),
    onSuccess: async (what) => {
      await queries.invalidateQueries({ queryKey: ['me'] });
      if (what === 'set') onClose();
    },
  });
  const set = (change: Partial<PolicyDraft>) => setDraft((before) => ({ ...before, ...change }));
  return { draft, set, others, save };
}

/** Who was faster, and what of theirs stands in the form now. */
function Others({ by, changes }: { by: Shown; changes: OthersChange[] }) {
  return (
    <Notice tone="care" title="Somebody else has set the policy meanwhile" live>
      <p>
        <Actor actor={by.changedBy ?? 'They'} /> did so on <Time at={by.changedAt} whole />. Nothing of yours
        is set yet, and all that you typed is kept.
      </p>
      {changes.length === 0 ? null : (
        <ul>
          {changes.map(({ member, now, typed }) => (
            <li key={member}>
              {policyLabel(member)}: {typed ? `they set ${now}, yours is kept` : `${now}, taken from theirs`}.
            </li>
          ))}
        </ul>
      )}
      <p>Look at it once more, then set the policy.</p>
    </Notice>
  );
}
