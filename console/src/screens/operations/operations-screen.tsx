import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { usePolling } from '../../api/live.ts';
import { useMe, useMissing } from '../../api/me.tsx';
import { OPERATION_STATES } from '../../api/operation-states.ts';
import { usePreferences } from '../../api/preferences.tsx';
import { endpointsQuery, type OperationFilter, operationsQuery } from '../../api/queries.ts';
import { inputList, inputSome, inputText, type SearchInput } from '../../api/search-input.ts';
import { fromInput, inputValue, zoneName } from '../../format/times.ts';
import { sentence } from '../../format/words.ts';
import { useUrl } from '../../shell/url.ts';
import { Choose, ChooseSome, Field, Fields, Select } from '../../ui/field.tsx';
import { NoValues } from '../../ui/no-values.tsx';
import { Empty, Loaded } from '../../ui/notice.tsx';
import { PageHead, Section, Stack } from '../../ui/page.tsx';
import { ShowMore } from '../../ui/show-more.tsx';
import { curlFor } from '../recover/curl.ts';
import { operationFilterIn, operationFilterName } from './operation-filter.ts';
import { OperationsTable } from './operations-table.tsx';

/** Those that are worth a choice: the others pass within a moment. */
const STATES = [
  'planned',
  'awaiting_approval',
  'running',
  'paused',
  'halted',
  'completed',
  'completed_with_failures',
  'cancelled',
] as const;

/** All operations, newest first; those that wait for this session's approval before them. */
export function OperationsScreen() {
  const [search, change] = useUrl();
  const me = useMe();
  const mayApprove = useMissing('approve:retries') === undefined;
  const { filter, noValues } = operationFilterIn(search);
  const waiting = useInfiniteQuery({
    ...operationsQuery({ state: ['awaiting_approval'] }),
    enabled: mayApprove,
  });
  const mine = mayApprove
    ? (waiting.data?.pages ?? [])
        .flatMap(({ items }) => items)
        .filter(({ requestedBy }) => requestedBy !== me.actor)
    : [];
  return (
    <>
      <PageHead
        title="Operations"
        about="Every retry and replay, whoever started it and by whichever surface."
      />
      {mine.length > 0 && filter.state === undefined ? (
        <Section title="Waiting for your approval">
          <OperationsTable operations={mine} />
          <ShowMore query={waiting} />
        </Section>
      ) : null}
      <Filters search={search} change={change} />
      {noValues.length > 0 ? (
        <NoValues
          found={noValues}
          nameOf={operationFilterName}
          onRemove={({ member, value }) => {
            const left = inputList(search[member])?.filter((each) => each !== value) ?? [];
            change({ [member]: left.length > 0 ? left : undefined });
          }}
        />
      ) : (
        <Matches filter={filter} />
      )}
    </>
  );
}

/** The operations that are like this. */
function Matches({ filter }: { filter: OperationFilter }) {
  const query = useInfiniteQuery({ ...operationsQuery(filter), refetchInterval: usePolling(3_000) });
  return (
    <Loaded query={query} what="the operations">
      {({ pages }) => {
        const operations = pages.flatMap(({ items }) => items);
        return operations.length === 0 ? (
          <Empty
            title={Object.keys(filter).length > 0 ? 'No operation is like this' : 'Nothing was recovered yet'}
            command={curlFor(location.origin, 'POST', '/api/v1/retries/plans', {
              select: { filter: { state: ['failed'] } },
            })}
          >
            <p>
              Start at <Link to="/failures">Failures</Link>, or make a plan by the API:
            </p>
          </Empty>
        ) : (
          <>
            <OperationsTable operations={operations} />
            <ShowMore query={query} />
          </>
        );
      }}
    </Loaded>
  );
}

function Filters({ search, change }: { search: SearchInput; change: (change: SearchInput) => void }) {
  const { zone } = usePreferences();
  const mayRead = useMissing('read:endpoints') === undefined;
  const endpoints = useQuery({ ...endpointsQuery, enabled: mayRead });
  return (
    <Section title="Filter">
      <Stack>
        <ChooseSome
          label="State"
          choices={STATES.map((state) => ({ value: state, text: sentence(state) }))}
          // What is no state is named below, and goes with the first choice: the API refuses a list with it.
          values={inputSome(search.state, OPERATION_STATES) ?? []}
          onValues={(state) => change({ state: state.length > 0 ? state : undefined })}
        />
        <Choose
          label="Kind"
          value={inputText(search.kind) ?? ''}
          onValue={(kind) => change({ kind: kind === '' ? undefined : kind })}
          choices={[
            { value: '', text: 'Any' },
            { value: 'retry', text: 'Retry' },
            { value: 'replay', text: 'Replay' },
          ]}
        />
        <Fields>
          {mayRead ? (
            <Select
              label="Endpoint"
              any="Any"
              value={inputText(search.endpointIds) ?? ''}
              onValue={(id) => change({ endpointIds: id === '' ? undefined : [id] })}
              choices={(endpoints.data ?? []).map(({ id, handle }) => ({ value: id, text: handle }))}
            />
          ) : null}
          <Typed label="Reason or ticket" name="text" search={search} change={change} />
          <Typed label="Asked for by" name="actor" search={search} change={change} />
          {(['from', 'to'] as const).map((name) => (
            <Field
              key={name}
              label={`${name === 'from' ? 'Since' : 'Before'} (${zoneName(zone)})`}
              type="datetime-local"
              value={inputValue(inputText(search[name]), zone)}
              onValue={(value) => change({ [name]: fromInput(value, zone) })}
            />
          ))}
        </Fields>
      </Stack>
    </Section>
  );
}

/** A text that goes into the URL once it is written. */
function Typed({
  label,
  name,
  search,
  change,
}: {
  label: string;
  name: string;
  search: SearchInput;
  change: (change: SearchInput) => void;
}) {
  const kept = inputText(search[name]) ?? '';
  const [draft, setDraft] = useState<string>();
  const take = () => {
    if (draft === undefined) return;
    setDraft(undefined);
    if (draft.trim() !== kept) change({ [name]: draft.trim() === '' ? undefined : draft.trim() });
  };
  return (
    <Field
      label={label}
      {...(name === 'text' ? { 'data-filter': true } : {})}
      value={draft ?? kept}
      onValue={setDraft}
      onBlur={take}
      onKeyDown={({ key }) => {
        if (key === 'Enter') take();
      }}
    />
  );
}
