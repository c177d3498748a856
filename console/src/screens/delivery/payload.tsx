import { answerOf } from '@redrive/client';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { calls } from '../../api/client.ts';
import { Button } from '../../ui/button.tsx';
import { Loaded, Notice } from '../../ui/notice.tsx';
import { Section } from '../../ui/page.tsx';
import { Quiet, Verbatim } from '../../ui/text.tsx';

/** A screen is no place for more. */
const MOST_CHARACTERS = 262_144;

/** The payload, on a click only: who reads it is entered in the audit. */
export function Payload({ eventId }: { eventId: string }) {
  const [asked, setAsked] = useState(false);
  const query = useQuery({
    queryKey: ['payload', eventId],
    queryFn: ({ signal }) =>
      answerOf(
        calls.GET('/api/v1/events/{id}', {
          params: { path: { id: eventId }, query: { include: 'payload' } },
          signal,
        }),
      ),
    enabled: asked,
    gcTime: 0,
  });
  return (
    <Section title="Payload">
      {asked ? (
        <Loaded query={query} what="the payload">
          {({ payload, payloadKept }) =>
            payload === undefined ? (
              <Notice title={payloadKept ? 'It is not shown to this session' : 'It is gone'}>
                <p>
                  {payloadKept
                    ? 'A key that was made with a grant sees no payloads.'
                    : 'Its term has passed, or it was erased. Send the event again from its source.'}
                </p>
              </Notice>
            ) : (
              <Text text={typeof payload === 'string' ? payload : JSON.stringify(payload, null, 2)} />
            )
          }
        </Loaded>
      ) : (
        <p>
          <Button needs="read:deliveries" onClick={() => setAsked(true)}>
            Show the payload
          </Button>{' '}
          <Quiet>It may hold what belongs to a customer; that you read it is entered in the audit.</Quiet>
        </p>
      )}
    </Section>
  );
}

function Text({ text }: { text: string }) {
  return (
    <>
      <Verbatim label="Payload" text={text.slice(0, MOST_CHARACTERS)} />
      {text.length > MOST_CHARACTERS ? <Quiet>Cut off here; the API has all of it.</Quiet> : null}
    </>
  );
}
