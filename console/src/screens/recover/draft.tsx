import { answerOf } from '@redrive/client';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCallback, useState } from 'react';
import { calls, type Schema } from '../../api/client.ts';
import { deliveryQueryOf } from '../../api/delivery-query.ts';
import { deliveryCountQuery, planQuery } from '../../api/queries.ts';
import type { SearchInput } from '../../api/search-input.ts';
import { duration } from '../../format/durations.ts';
import { useUrl } from '../../shell/url.ts';
import { Button } from '../../ui/button.tsx';
import { Choose } from '../../ui/field.tsx';
import { NoValues } from '../../ui/no-values.tsx';
import { Command, Notice, Refusal } from '../../ui/notice.tsx';
import { PageHead, Panel, Section, Stack, Toolbar } from '../../ui/page.tsx';
import { Count, Quiet } from '../../ui/text.tsx';
import { filterName } from '../failures/filter-names.ts';
import { noValuesIn } from '../failures/filter-values.ts';
import { askedIn } from './asked.ts';
import { planWords, redriveLine } from './command-line.ts';
import { curlFor } from './curl.ts';
import { MoreChips } from './more-chips.tsx';
import { moreOptionsOf } from './more-options.ts';
import { OutageBox } from './outage-box.tsx';
import { type Pace, paceOf, paceSearch, secondsAt } from './pace.ts';
import { PaceFields } from './pace-fields.tsx';
import { filterIn, type Selection, selectionSearch } from './selection.ts';
import { SelectionSentence } from './selection-sentence.tsx';
import { type Words, WordsFields } from './words-fields.tsx';

type Request = Schema<'RetryRequest'>;

/** What is to be recovered, and how; nothing is sent yet. */
export function Draft({
  search,
  given,
  onGiven,
}: {
  search: SearchInput;
  given: Words;
  onGiven: (given: Words) => void;
}) {
  const [, change] = useUrl();
  const queries = useQueryClient();
  const { select: selection, mode, target, newIdentity } = askedIn(search);
  const more = moreOptionsOf(search);
  const few = Array.isArray(selection.deliveryIds) ? selection.deliveryIds.length : Number.POSITIVE_INFINITY;
  // The URL follows what is on the screen, and the plan is made of what is on the screen.
  const [chosen, setChosen] = useState(() => paceOf(search));
  const [wrong, setWrong] = useState<Readonly<Record<string, string | undefined>>>({});
  const noteWrong = useCallback(
    (label: string, why: string | undefined) => setWrong((before) => ({ ...before, [label]: why })),
    [],
  );
  const pace = fitting(chosen, few);
  const [reason, ticket] = [given.reason.trim(), given.ticket.trim()];
  const body: Request = {
    select: selection,
    mode,
    target,
    ...(newIdentity ? { newIdentity } : {}),
    options: { ...more, ...pace },
    ...(reason === '' ? {} : { reason }),
    ...(ticket === '' ? {} : { ticket }),
  };
  const freeze = useMutation({
    mutationFn: () => answerOf(calls.POST('/api/v1/retries/plans', { body })),
    onSuccess: ({ id }) => {
      void queries.prefetchQuery(planQuery(id));
      change({ plan: id });
    },
  });
  const filter = filterIn(selection);
  const query = deliveryQueryOf(search);
  const noValues = filter === undefined ? [] : noValuesIn(query);
  const none = noValues.length > 0;
  return (
    <>
      <PageHead
        title="Recover"
        about="Say what and how. A plan is frozen first: it counts, names the risks, and sends nothing."
        actions={
          <Button
            look="primary"
            needs="recover:plans"
            refused={
              none ? 'The filter matches nothing.' : Object.values(wrong).find((why) => why !== undefined)
            }
            busy={freeze.isPending}
            onClick={() => freeze.mutate()}
          >
            Freeze a plan
          </Button>
        }
      />
      {freeze.error ? <Refusal error={freeze.error} /> : null}
      <Section
        title="What"
        aside={
          filter ? (
            <Link to="/failures" search={selectionSearch(selection)}>
              Change the filter
            </Link>
          ) : null
        }
      >
        <Panel>
          <Stack>
            <SelectionSentence selection={selection} />
            <NoValues found={noValues} nameOf={filterName} />
            {filter && !none ? <Estimate selection={selection} pace={pace} /> : null}
            {typeof selection.outage === 'string' ? <OutageBox id={selection.outage} /> : null}
          </Stack>
        </Panel>
      </Section>
      <Section title="How">
        <Panel>
          <Stack>
            <PaceFields
              pace={pace}
              onWrong={noteWrong}
              onPace={(next) => {
                setChosen(next);
                change(paceSearch(next), { replace: true });
              }}
            />
            <MoreChips options={more} remove={(member) => change({ [member]: undefined })} />
            <Toolbar>
              <Choose
                label="Send to"
                value={target}
                onValue={(value) => change({ target: value === 'current' ? undefined : value })}
                choices={[
                  { value: 'current', text: 'endpoints as they are now' },
                  { value: 'original', text: 'endpoints as they were' },
                ]}
              />
              <Choose
                label="Which of them"
                value={mode}
                onValue={(value) => change({ mode: value === 'retry' ? undefined : value })}
                choices={[
                  { value: 'retry', text: 'retry what is not delivered' },
                  { value: 'replay', text: 'replay, also what was delivered' },
                ]}
              />
            </Toolbar>
            {mode === 'replay' ? (
              <>
                <Choose
                  label="As"
                  value={newIdentity ? 'new' : 'same'}
                  onValue={(value) => change({ identity: value === 'same' ? undefined : value })}
                  choices={[
                    { value: 'same', text: 'the same delivery, same webhook-id' },
                    { value: 'new', text: 'a new delivery of its own' },
                  ]}
                />
                <Notice tone="care" title="A replay sends again what was delivered">
                  <p>
                    {newIdentity
                      ? 'Under a new webhook-id no receiver can notice the repeat: each of them does the work twice.'
                      : 'Receivers see the same webhook-id again. Those that do not look at it do the work twice.'}
                  </p>
                </Notice>
              </>
            ) : null}
          </Stack>
        </Panel>
      </Section>
      <WordsFields given={given} onGiven={onGiven} />
      <Section title="The same as a command">
        <Command text={redriveLine(planWords(body))} />
        <Command text={curlFor(location.origin, 'POST', '/api/v1/retries/plans', body)} />
      </Section>
    </>
  );
}

/** All of a short list would be its canary: then there is none. */
function fitting(pace: Pace, few: number): Pace {
  if (!pace.canary || few > pace.canary.count) return pace;
  const { canary: _, ...rest } = pace;
  return rest;
}

function Estimate({ selection, pace }: { selection: Selection; pace: Pace }) {
  const search = selectionSearch(selection);
  const { data } = useQuery(deliveryCountQuery(deliveryQueryOf(search)));
  if (!data) return <Quiet>Counting what matches now…</Quiet>;
  const seconds = secondsAt(data.count, pace);
  return (
    <p role="status">
      <strong>
        <Link to="/failures" search={search}>
          <Count of={data.count} basis={data.basis} />
        </Link>
      </strong>{' '}
      match now
      {seconds === undefined ? '.' : `: at this pace that takes ${duration(seconds * 1_000)} or more.`}
    </p>
  );
}
