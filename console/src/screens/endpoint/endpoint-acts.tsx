import { answerOf } from '@redrive/client';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { calls, type Schema } from '../../api/client.ts';
import { whole } from '../../format/numbers.ts';
import { confirmationFor } from '../../ui/blast-radius.ts';
import { Button } from '../../ui/button.tsx';
import { Confirm } from '../../ui/confirm.tsx';
import { CopyButton } from '../../ui/copy.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Refusal } from '../../ui/notice.tsx';

type Endpoint = Schema<'EndpointDetails'>;

/** What a person can do about an endpoint. */
export function EndpointActs({ endpoint }: { endpoint: Endpoint }) {
  const { id, state, circuit, waiting } = endpoint;
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [asked, setAsked] = useState<'disable' | 'rotate'>();
  const changed = () => {
    setAsked(undefined);
    void queries.invalidateQueries({ queryKey: ['endpoint', id] });
    void queries.invalidateQueries({ queryKey: ['endpoints'] });
  };
  const act = useMutation({
    mutationFn: (verb: 'enable' | 'disable'): Promise<object> =>
      answerOf(calls.POST(`/api/v1/endpoints/{id}/${verb}`, { params: { path: { id } } })),
    onSuccess: changed,
  });
  const rotate = useMutation({
    mutationFn: () =>
      answerOf(calls.POST('/api/v1/endpoints/{id}/rotate-secret', { params: { path: { id } }, body: {} })),
    onSuccess: changed,
  });
  const test = useMutation({
    mutationFn: () => answerOf(calls.POST('/api/v1/endpoints/{id}/test', { params: { path: { id } } })),
    onSuccess: ({ deliveryId }) => void navigate({ to: '/deliveries/$id', params: { id: deliveryId } }),
  });
  const error = act.error ?? test.error;
  if (state === 'deleted') return null;
  return (
    <>
      {error && asked === undefined ? <Refusal error={error} /> : null}
      <Button needs="edit:endpoints" busy={test.isPending} onClick={() => test.mutate()}>
        Send a test
      </Button>
      <Button needs="rotate:secrets" onClick={() => setAsked('rotate')}>
        Rotate the secret…
      </Button>
      {state === 'enabled' && circuit === 'closed' ? (
        <Button look="danger" needs="write:endpoints" onClick={() => setAsked('disable')}>
          Disable…
        </Button>
      ) : (
        <Button
          look="primary"
          needs="write:endpoints"
          busy={act.isPending}
          onClick={() => act.mutate('enable')}
        >
          {state === 'enabled' ? 'Close the circuit' : 'Enable'}
        </Button>
      )}
      <Confirm
        open={asked === 'disable'}
        onClose={() => setAsked(undefined)}
        onConfirm={() => act.mutate('disable')}
        title={`Disable ${endpoint.handle}?`}
        verb="Disable"
        deliveries={waiting.deliveries}
        confirmation={
          waiting.deliveries === 0 ? 'sentence' : confirmationFor(Math.max(100, waiting.deliveries), false)
        }
        danger
        busy={act.isPending}
        error={act.error}
      >
        <p>
          {waiting.deliveries === 0
            ? 'Nothing waits for it now.'
            : `${whole(waiting.deliveries)} deliveries wait for it now.`}{' '}
          Events that come meanwhile are kept and can be recovered once it is enabled again.
        </p>
      </Confirm>
      <Confirm
        open={asked === 'rotate'}
        onClose={() => setAsked(undefined)}
        onConfirm={() => rotate.mutate()}
        title="Rotate the signing secret?"
        verb="Rotate"
        deliveries={0}
        confirmation="sentence"
        busy={rotate.isPending}
        error={rotate.error}
      >
        <p>
          The new one is shown once. Requests carry both signatures for a day, so that the receiver can change
          over.
        </p>
      </Confirm>
      <Dialog
        open={rotate.data !== undefined && asked === undefined}
        onClose={() => rotate.reset()}
        title="The new secret"
        about={<p>It is shown now and never again. Give it to the receiver by a safe way.</p>}
        actions={
          <>
            <CopyButton text={rotate.data?.secret ?? ''} what="the secret" />
            <Button look="primary" onClick={() => rotate.reset()}>
              I have it
            </Button>
          </>
        }
      >
        <code>{rotate.data?.secret}</code>
      </Dialog>
    </>
  );
}
