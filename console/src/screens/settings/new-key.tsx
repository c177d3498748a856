import { answerOf } from '@redrive/client';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { calls, type Schema } from '../../api/client.ts';
import { useMe } from '../../api/me.tsx';
import { Button } from '../../ui/button.tsx';
import { CopyButton } from '../../ui/copy.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { ChooseSome, Field } from '../../ui/field.tsx';
import { Refusal } from '../../ui/notice.tsx';
import { Stack } from '../../ui/page.tsx';

type KeyScope = NonNullable<Schema<'NewKey'>['scopes']>[number];

const SCOPES = [
  'read:deliveries',
  'write:deliveries',
  'read:endpoints',
  'write:endpoints',
  'write:events',
  'read:audit',
  'approve:retries',
  'write:keys',
] as const satisfies readonly KeyScope[];

/** Makes a key; it is shown once, and never again. */
export function NewKey({ onClose }: { onClose: () => void }) {
  const me = useMe();
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [actor, setActor] = useState('');
  const [scopes, setScopes] = useState<KeyScope[]>(['read:deliveries']);
  const make = useMutation({
    mutationFn: () =>
      answerOf(
        calls.POST('/api/v1/keys', {
          body: {
            name: name.trim(),
            scopes,
            ...(actor.trim() === '' ? {} : { actor: actor.trim() }),
            ...(me.scopes.includes('admin') && me.tenant ? { tenantId: me.tenant.id } : {}),
          },
        }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['keys'] }),
  });
  if (make.data)
    return (
      <Dialog
        open
        onClose={onClose}
        title="The new key"
        about={<p>It is shown now and never again.</p>}
        actions={
          <>
            <CopyButton text={make.data.key} what="the key" />
            <Button look="primary" onClick={onClose}>
              I have it
            </Button>
          </>
        }
      >
        <code>{make.data.key}</code>
      </Dialog>
    );
  const lacking =
    name.trim() === '' ? 'Give it a name first.' : scopes.length === 0 ? 'Choose what it may do.' : undefined;
  return (
    <Dialog
      open
      onClose={onClose}
      title="A new key"
      actions={
        <>
          <Button onClick={onClose}>Not now</Button>
          <Button look="primary" busy={make.isPending} refused={lacking} onClick={() => make.mutate()}>
            Make it
          </Button>
        </>
      }
    >
      <Stack>
        <Field label="Name" hint="Who or what uses it." value={name} onValue={setName} maxLength={100} />
        <Field
          label="Person or service"
          hint="Whoever approves has to be somebody: approvals count once for each."
          value={actor}
          onValue={setActor}
          maxLength={200}
        />
        <ChooseSome
          label="It may"
          choices={SCOPES.map((scope) => ({ value: scope, text: scope }))}
          values={scopes}
          onValues={(values) => setScopes(values as KeyScope[])}
        />
        {make.error ? <Refusal error={make.error} /> : null}
      </Stack>
    </Dialog>
  );
}
